"""The stack as a graph along a record's way, as data: which component stands where, and what an arrow tells.

Columns go with the record, from the shoppers to the engines that answer questions. A component that has no place here
is shown beside the graph, so a new component needs no edit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lakeproof.lake.sources.source import find_source

SHOPPERS = "shoppers"


@dataclass(frozen=True)
class Box:
    """A component's place. title: the text in the box. column: also its stage, unless `stage` names another one. row:
    may lie between two rows.
    """

    name: str
    title: str
    column: int
    row: float
    stage: int | None = None


@dataclass(frozen=True)
class Figure:
    """One number on an arrow.

    expression: PromQL that gives one series.
    unit: as in quantity.py.
    says: what the number is.
    within: the component without which there is no such number.
    """

    id: str
    expression: str
    unit: str
    says: str
    within: str | None = None


@dataclass(frozen=True)
class Arrow:
    """From one component to another. beside: the arrow leaves a record's way, and is drawn thinner. at: how far along
    the arrow its figures stand, from 0 to 1; None: where drawing.py puts them.
    """

    start: str
    end: str
    figures: tuple[Figure, ...] = ()
    beside: bool = False
    at: float | None = None


# What a record passes: the name of each stage, by its number.
STAGES = (
    "Shoppers",
    "Services",
    "Databases",
    "Change capture",
    "Log",
    "Stream processing",
    "Object store",
    "Publishing",
    "Query engines",
)
BOXES = (
    Box(SHOPPERS, "shoppers", 0, 2),
    Box("order-service", "order", 1, 0),
    Box("payment-service", "payment", 1, 1),
    Box("fulfillment-service", "fulfillment", 1, 2),
    Box("notification-service", "notification", 1, 3),
    Box("support-service", "support", 1, 4),
    Box("inventory-service", "inventory", 1, 5),
    Box("mysql", "MariaDB", 2, 0),
    Box("postgres", "PostgreSQL", 2, 2),
    Box("mail-sink", "mail sink", 2, 3),
    Box("redis", "Redis", 2, 4),
    Box("cassandra-seed", "Cassandra 1", 2, 5),
    Box("cassandra-node2", "Cassandra 2", 3, 5, stage=2),
    Box("cassandra-node3", "Cassandra 3", 4, 5, stage=2),
    Box("connect", "Debezium", 3, 1),
    Box("kafka", "Kafka", 4, 1),
    Box("projector", "projector", 4, 3),
    Box("flink-jobmanager", "JobManager", 5, 0),
    Box("flink-taskmanager", "Flink job", 5, 1),
    Box("minio", "Paimon", 6, 1),
    Box("publisher", "publisher", 7, 1),
    Box("nessie", "Nessie", 7, 2.4),
    Box("trino", "Trino", 8, 0.6),
    Box("spark", "Spark", 8, 1.8),
    Box("flink-sql-gateway", "Flink SQL", 8, 3),
)


def _calls(job: str) -> Figure:
    expression = f'sum(rate(shop_http_requests_total{{job="{job}",route!~"/health|/metrics"}}[1m]))'
    return Figure(f"calls_{job.partition('-')[0]}", expression, "reqps", "requests answered")


def _lag(connector: str) -> Figure:
    expression = f'max(kafka_connect_source_task_lag_millis{{connector="{connector}"}})'
    return Figure(f"lag_{connector}", expression, "ms", "age of the newest heartbeat that came through")


def _rate(metric: str, says: str = "changes committed") -> Figure:
    return Figure(metric.removesuffix("_total"), f"sum(rate({metric}[1m]))", "ops", says)


def main_age(database: str) -> Figure:
    """The figure for how old the data of a database on `main` is."""
    expression = f'time() - max(lakeproof_publish_database_beat_timestamp_seconds{{database="{database}"}})'
    within = find_source(database).capture
    return Figure(f"main_{database}", expression, "s", "age of the data on main", within)


SERVICES = ("order", "payment", "fulfillment", "notification", "support", "inventory")
ARROWS = (
    *(Arrow(SHOPPERS, f"{name}-service", (_calls(f"{name}-service"),)) for name in SERVICES),
    Arrow("order-service", "mysql", (_rate("shop_order_changes_total"),)),
    Arrow("payment-service", "postgres", (_rate("shop_payment_changes_total"),), at=0.5),
    Arrow("fulfillment-service", "postgres", (_rate("shop_fulfillment_changes_total"),)),
    Arrow(
        "notification-service", "postgres", (_rate("shop_notification_created_total", "notifications made"),), at=0.5
    ),
    Arrow("support-service", "postgres", (_rate("shop_support_changes_total"),), beside=True, at=0.25),
    Arrow("notification-service", "mail-sink", (_rate("notification_sent_total", "messages accepted"),), beside=True),
    Arrow("notification-service", "redis", beside=True),
    Arrow(
        "support-service",
        "redis",
        (_rate("support_timeline_cache_events_total", "reads and writes of the cache"),),
        beside=True,
    ),
    Arrow(
        "inventory-service",
        "cassandra-seed",
        (_rate("shop_inventory_conditional_writes_total", "conditional batches"),),
    ),
    Arrow("cassandra-seed", "cassandra-node2", beside=True),
    Arrow("cassandra-node2", "cassandra-node3", beside=True),
    Arrow("mysql", "connect", (_lag("orders"),)),
    Arrow("postgres", "connect", (_lag("shop"),)),
    Arrow(
        "connect",
        "kafka",
        (
            Figure(
                "messages",
                "sum(rate(kafka_server_brokertopicmetrics_messagesin_total[1m]))",
                "ops",
                "messages that Kafka took, of all topics",
            ),
        ),
    ),
    Arrow(
        "kafka",
        "flink-taskmanager",
        (
            Figure("rows", "sum(rate(lakeproof_aligner_rowsPassed_total[1m]))", "ops", "rows of whole transactions"),
            Figure("unread", "sum(lakeproof_unread_records)", "short", "records that the job has not kept yet"),
        ),
    ),
    Arrow("flink-jobmanager", "flink-taskmanager", beside=True),
    Arrow(
        "flink-taskmanager",
        "minio",
        (
            Figure(
                "checkpoints",
                "60 * sum(rate(flink_jobmanager_job_numberOfCompletedCheckpoints[1m]))",
                "opm",
                "completed checkpoints",
            ),
            Figure(
                "checkpoint_took",
                "max(flink_jobmanager_job_lastCheckpointDuration)",
                "ms",
                "the longest of the jobs' last checkpoints",
            ),
        ),
    ),
    Arrow(
        "minio",
        "publisher",
        (Figure("published", "60 * sum(rate(lakeproof_publish_total[1m]))", "opm", "states merged into main"),),
    ),
    Arrow("publisher", "nessie", (main_age("oltp"), main_age("shop"))),
    Arrow(
        "nessie",
        "trino",
        (Figure("trino_queue", "sum(trino_execution_queuedqueries)", "short", "queries that wait"),),
    ),
    Arrow("nessie", "spark", beside=True),
    Arrow("nessie", "flink-sql-gateway", beside=True),
    Arrow(
        "kafka",
        "projector",
        (
            Figure("projected", "sum(rate(projector_records_total[1m]))", "ops", "records projected"),
            Figure("projector_behind", "sum(projector_lag_records)", "short", "records that wait for the projector"),
        ),
        beside=True,
    ),
    Arrow(
        "projector",
        "cassandra-node3",
        (Figure("projection_age", "max(projector_lag_seconds)", "s", "age of the projection"),),
        beside=True,
    ),
)
SHOPPING = Figure(
    "shopping",
    'sum(rate(shop_http_requests_total{job=~".+-service",route!~"/health|/metrics"}[1m]))',
    "reqps",
    "requests of all services",
)


def all_figures() -> Iterator[Figure]:
    """Each number of the graph."""
    yield SHOPPING
    for arrow in ARROWS:
        yield from arrow.figures


def whole_query() -> str:
    """One question to Prometheus for all figures: its series carry the figure's id in the label `figure`."""
    return " or ".join(f'label_replace({one.expression}, "figure", "{one.id}", "", "")' for one in all_figures())
