"""Every metric that runbook, rules and dashboards name is there under its exact name, at its component.

One component after the other with what it needs, small closures first. A metric without a sample yet counts by its
declaration: its labels come with the first event.
"""

import re
from collections.abc import Callable

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import find
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(400)]

SECONDS = 90.0
NAMES = {
    "mysqld-exporter": ("mysql_global_status_threads_connected",),
    "postgres-exporter": ("pg_stat_database_numbackends",),
    "object-store-exporter": ("minio_objects", "minio_cluster_disk_free_bytes"),
    "lag-exporter": ("kafka_connect_source_task_lag_millis",),
    "connect": ("kafka_connect_worker_connector_count", "kafka_connect_connector_failed_task_count"),
    "flink-jobmanager": ("flink_jobmanager_job_numRestarts",),
    "flink-taskmanager": (
        "kafka_consumer_fetch_manager_metrics_records_lag_max",
        "flink_jobmanager_job_latency",
    ),
    "trino": ("trino_execution_queuedqueries",),
    "inventory-service": ("inventory_reservation_expired_total", "inventory_reservation_active_total"),
    "fulfillment-service": (
        "fulfillment_lag_minutes",
        "fulfillment_artifacts_backlog_objects",
        "fulfillment_artifacts_backlog_bytes",
    ),
    "notification-service": (
        "notification_sent_total",
        "notification_failure_total",
        "notification_events_dropped_total",
        "notification_rate_limited_total",
        "notification_rate_limit_errors_total",
        "notification_opt_out_total",
        "notification_send_latency_seconds",
    ),
    "support-service": (
        "support_timeline_collect_seconds",
        "support_timeline_source_seconds",
        "support_timeline_cache_events_total",
        "support_timeline_collection_failures_total",
        "support_attachment_backlog_bytes",
        "support_attachment_backlog_files",
    ),
}
# What must run beside one that starts without it: the store's room is told only where there is a store.
BESIDE = {"object-store-exporter": ("minio",)}


@pytest.mark.parametrize("component", NAMES)
def test_a_component_has_its_metrics_under_their_exact_names(
    stack: Stack, up: Callable[..., SupervisorClient], component: str
) -> None:
    up(component, *BESIDE.get(component, ()))
    missing: list[str] = list(NAMES[component])

    def look() -> bool | None:
        text = "\n".join(
            httpx.get(
                f"{stack.url(component, scrape.port)}{scrape.path}",
                headers=dict(scrape.headers),
                trust_env=False,
                timeout=10.0,
            ).text
            for scrape in find(component).scrapes
        )
        missing[:] = [
            name for name in NAMES[component] if not re.search(rf"^(# TYPE )?{name}[ {{]", text, re.MULTILINE)
        ]
        return None if missing else True

    Deadline(SECONDS).wait_for(f"the metrics of {component}", look, seen=lambda: f"without {missing}")
