#!/usr/bin/env python3
"""Makes the dashboard `Dataflow Overview`, which Grafana and the console both draw.

Only developers run this: it needs grafana-foundation-sdk, and the package reads the JSON alone. After a change run
`python scripts/dashboards/dataflow_overview.py` and commit the JSON; a test compares the two. What the panels may be
stands in panels.py, which lies beside this script, the shop's part in shop_panels.py.
"""

from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync
from panels import HALF, Panel, columns, lines, number, p95, share
from shop_panels import NOTIFICATION, SHOP, SUPPORT

OUTPUT = Path(__file__).parents[2] / "src/lakeproof/observability/dashboards/dataflow-overview.json"
TITLE, UID = "Dataflow Overview", "dataflow-overview"
# As in the rules: not what is being started or stopped by command. Without a supervisor each component counts.
WATCHED = "unless on (component) last_over_time(lakeproof_component_watched_since_seconds[10m]) > time()"


AVAILABILITY = (
    number(
        "Alerts firing",
        "Alerts that fire now. The desk has an incident for each.",
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        limit=1,
    ),
    number(
        "Components not healthy",
        "Watched components that do not answer their own health question.",
        f"count(lakeproof_component_healthy == 0 {WATCHED}) or vector(0)",
        limit=1,
    ),
    number(
        "HTTP probes that fail",
        "Health pages of watched components that gave no good answer to blackbox-exporter.",
        f"count(probe_success == 0 {WATCHED}) or vector(0)",
        limit=1,
    ),
    number(
        "Stalest database on main",
        "Age of the newest heartbeat that readers of main see, of the database that is furthest behind.",
        "max(time() - lakeproof_publish_database_beat_timestamp_seconds)",
        unit="s",
        limit=60,
    ),
    number(
        "Last full audit",
        "Age of the last audit that could compare every table with Trino.",
        "time() - min(lakeproof_publish_full_audit_timestamp_seconds)",
        unit="s",
        limit=300,
    ),
    number(
        "Unexpected restarts, 1 h",
        "Starts of components that followed an end nobody asked for.",
        "sum(increase(lakeproof_component_restarts_total[1h]))",
        limit=1,
    ),
    columns(
        "Service availability",
        "1 is healthy: the component answered its own question, in its own protocol. Worst first.",
        ("sort(min by (component) (lakeproof_component_healthy))", "healthy"),
        ("avg by (component) (avg_over_time(lakeproof_component_healthy[1h]))", "share of the last hour"),
        ("sum by (component) (lakeproof_component_restarts_total)", "restarts"),
        height=9,
    ),
    columns(
        "Firing alerts",
        "What fires now, and whose it is.",
        ('max by (alertname, severity, team, component) (ALERTS{alertstate="firing"})', "firing"),
        height=9,
    ),
    lines(
        "HTTP probe",
        "How long each health page took to answer blackbox-exporter; it gives up after a second.",
        ("max by (component) (probe_duration_seconds)", "{{component}}"),
        unit="s",
        limit=1,
        height=9,
    ),
)

PATH_OF_A_RECORD = (
    lines(
        "Freshness of main",
        "Age of the newest heartbeat that readers of main see, by database. Realtime means under two minutes. "
        "LakePublishStale fires later than the dashed line, by the pause between two checkpoints.",
        ("time() - max by (database) (lakeproof_publish_database_beat_timestamp_seconds)", "{{database}}"),
        unit="s",
        limit=60,
    ),
    lines(
        "Capture lag",
        "Age of the newest heartbeat that came through Debezium to Kafka, by connector.",
        ("max by (connector) (kafka_connect_source_task_lag_millis)", "{{connector}}"),
        unit="ms",
        limit=30000,
    ),
    lines(
        "Backlog",
        "Records in Kafka that the lake's jobs have not read, by their consumer and by their last checkpoint.",
        ("max(kafka_consumer_fetch_manager_metrics_records_lag_max)", "consumer, furthest behind"),
        ("max by (database) (lakeproof_unread_records)", "{{database}}, since its checkpoint"),
        ("sum by (job_name) (flink_taskmanager_job_task_operator_pendingRecords)", "{{job_name}}, by its source"),
        limit=5000,
    ),
    lines(
        "Flink restarts",
        "Restarts of each job since it was submitted.",
        ("max by (job_name) (flink_jobmanager_job_numRestarts)", "{{job_name}}"),
    ),
    columns(
        "Jobs",
        "Each job's last completed checkpoint, its restarts and how long it has run since the last one.",
        ("max by (job_name) (flink_jobmanager_job_lastCompletedCheckpointId)", "last checkpoint"),
        ("max by (job_name) (flink_jobmanager_job_numRestarts)", "restarts"),
        ("max by (job_name) (flink_jobmanager_job_uptime) / 60000", "minutes up"),
    ),
    lines(
        "Checkpoint duration",
        "How long the last checkpoint of each job took.",
        ("max by (job_name) (flink_jobmanager_job_lastCheckpointDuration)", "{{job_name}}"),
        unit="ms",
    ),
    lines(
        "Checkpoints",
        "Checkpoints completed and failed in five minutes, by job.",
        ("sum by (job_name) (increase(flink_jobmanager_job_numberOfCompletedCheckpoints[5m]))", "{{job_name}} done"),
        ("sum by (job_name) (increase(flink_jobmanager_job_numberOfFailedCheckpoints[5m]))", "{{job_name}} failed"),
    ),
    lines(
        "Latency within Flink",
        "What a marker takes from the source to the slowest operator, 99th percentile, by job. A marker every 10 s.",
        ('max by (job_name) (flink_jobmanager_job_latency{quantile="0.99"})', "{{job_name}}"),
        unit="ms",
    ),
    lines(
        "Publishing",
        "Time from the choice of a cut to its merge into main, and rounds that failed.",
        (p95("lakeproof_publish_seconds"), "p95 of a publish (s)"),
        ("sum by (database) (increase(lakeproof_publish_failures_total[5m]))", "{{database}} failed in 5 min"),
        ("max by (database) (lakeproof_publish_frozen)", "{{database}} frozen by an audit"),
    ),
    lines(
        "Whole transactions",
        "Transactions of the source that the job put together, and its trouble with them in five minutes.",
        ("sum(rate(lakeproof_aligner_transactions_total[1m]))", "whole (/s)"),
        ("sum(lakeproof_aligner_openRows)", "rows that wait for their end"),
        ("sum(increase(lakeproof_aligner_transactionsIncomplete_total[5m]))", "incomplete"),
        ("sum(increase(lakeproof_aligner_transactionsWithoutEnd_total[5m]))", "without an end"),
        ("sum(increase(lakeproof_aligner_transactionsTooLarge_total[5m]))", "too large"),
        ("sum(increase(lakeproof_aligner_changesRefused_total[5m]))", "changes refused"),
    ),
    lines(
        "Rows through the job",
        "Rows passed on in a second, and rows or transactions that had come before and were dropped.",
        ("sum(rate(lakeproof_aligner_rowsPassed_total[1m]))", "passed (/s)"),
        ("sum(rate(lakeproof_aligner_rowsRepeated_total[1m]))", "rows repeated (/s)"),
        ("sum(rate(lakeproof_aligner_transactionsReplayed_total[1m]))", "transactions replayed (/s)"),
    ),
    lines(
        "Projection lag",
        "How old the projection in Cassandra is that the shop reads.",
        ("max(projector_lag_seconds)", "projector"),
        unit="s",
    ),
)

STORES_AND_ENGINES = (
    lines(
        "Kafka Connect",
        "Tasks by connector and state, and connectors that the worker knows.",
        ("sum by (connector) (kafka_connect_connector_running_task_count)", "{{connector}} running"),
        ("sum by (connector) (kafka_connect_connector_paused_task_count)", "{{connector}} paused"),
        ("sum by (connector) (kafka_connect_connector_failed_task_count)", "{{connector}} failed"),
        ("sum(kafka_connect_worker_connector_count)", "connectors"),
    ),
    lines(
        "Schema drift",
        "Columns of a captured table that are not as the lake's SQL declares them.",
        ("max by (database, table) (lakeproof_drifted_columns)", "{{database}} {{table}}"),
        limit=1,
    ),
    lines(
        "Kafka",
        "Messages that the broker takes, and partitions without all their replicas.",
        ("sum(rate(kafka_server_brokertopicmetrics_messagesin_total[1m]))", "messages in (/s)"),
        ("sum(kafka_server_replicamanager_underreplicatedpartitions)", "under-replicated partitions"),
        ("sum(kafka_controller_kafkacontroller_activecontrollercount)", "active controllers"),
    ),
    lines(
        "Cassandra latency",
        "99th percentile of the coordinator's requests, of the slowest node.",
        ("max by (scope) (cassandra_clientrequest_latency_99thpercentile)", "{{scope}}"),
        unit="µs",
    ),
    lines(
        "Cassandra requests",
        "Requests that the coordinators answered in a second.",
        ("sum by (scope) (rate(cassandra_clientrequest_latency_count[1m]))", "{{scope}}"),
        unit="reqps",
    ),
    lines(
        "Cassandra nodes",
        "What the nodes believe of each other, and requests that timed out or found too few replicas.",
        ("max(cassandra_downendpointcount)", "down"),
        ("max(cassandra_upendpointcount)", "up"),
        ("sum(increase(cassandra_clientrequest_timeouts_count[5m]))", "timeouts in 5 min"),
        ("sum(increase(cassandra_clientrequest_unavailables_count[5m]))", "unavailables in 5 min"),
        ("sum(cassandra_storage_totalhintsinprogress)", "hints under way"),
    ),
    lines(
        "MySQL/PostgreSQL connection",
        "Share of the connections that the server allows.",
        (
            share("max(mysql_global_status_threads_connected)", "max(mysql_global_variables_max_connections)"),
            "MySQL",
        ),
        (share("sum(pg_stat_database_numbackends)", "max(pg_settings_max_connections)"), "PostgreSQL"),
        unit="percentunit",
        limit=0.9,
    ),
    lines(
        "Trino",
        "Queries that run and queries that wait.",
        ("sum(trino_execution_runningqueries)", "running"),
        ("sum(trino_execution_queuedqueries)", "queued"),
        limit=5,
    ),
    lines(
        "MinIO",
        "Room that is left in the object store.",
        ("min(minio_cluster_disk_free_bytes / minio_cluster_disk_total_bytes)", "free"),
        unit="percentunit",
        limit=0.1,
        low=True,
    ),
    lines(
        "MinIO objects",
        "What lies in each bucket.",
        ("sum by (bucket) (minio_objects_bytes)", "{{bucket}}"),
        unit="bytes",
    ),
    lines(
        "Databases answer",
        "1 while the server answers its exporter.",
        ("max(mysql_up)", "MySQL"),
        ("max(pg_up)", "PostgreSQL"),
        ("max(redis_up)", "Redis"),
    ),
    lines(
        "Redis clients",
        "Connections to Redis.",
        ("max(redis_connected_clients)", "clients"),
    ),
    lines(
        "Redis memory",
        "Memory in use.",
        ("max(redis_memory_used_bytes)", "used"),
        unit="bytes",
    ),
)

PROCESSES = (
    lines(
        "CPU by component (cores)",
        "Processor cores that a component's processes use; stands in for cAdvisor.",
        ("sum by (component) (rate(lakeproof_component_cpu_seconds_total[1m]))", "{{component}}"),
        span=HALF,
    ),
    lines(
        "Memory by component",
        "Resident memory of a component's processes; stands in for cAdvisor.",
        ("sum by (component) (lakeproof_component_rss_bytes)", "{{component}}"),
        unit="bytes",
        span=HALF,
    ),
)

MONITORING = (
    lines(
        "Alerting",
        "Alerts that Alertmanager holds, deliveries that failed and alerts that Prometheus could not hand on.",
        ('sum(alertmanager_alerts{state="active"})', "active alerts"),
        (
            "sum by (integration) (increase(alertmanager_notifications_failed_total[5m]))",
            "failed in 5 min: {{integration}}",
        ),
        ("sum(increase(prometheus_notifications_dropped_total[5m]))", "dropped in 5 min"),
        ("sum(increase(prometheus_rule_evaluation_failures_total[5m]))", "rules not evaluated in 5 min"),
    ),
    lines(
        "Series",
        "Series that Prometheus holds.",
        ("max(prometheus_tsdb_head_series)", "series"),
    ),
    lines(
        "Incidents",
        "Incidents of the desk by status, and those that nobody acknowledged in time.",
        ("sum by (status) (lakeproof_incidents)", "{{status}}"),
        ("count(lakeproof_incident_overdue_seconds) or vector(0)", "not acknowledged in time"),
    ),
)

ROWS: tuple[tuple[str, Sequence[Panel]], ...] = (
    ("Availability", AVAILABILITY),
    ("Path of a record", PATH_OF_A_RECORD),
    ("Stores and engines", STORES_AND_ENGINES),
    ("Shop", SHOP),
    ("Notification", NOTIFICATION),
    ("Support", SUPPORT),
    ("Processes", PROCESSES),
    ("Monitoring", MONITORING),
)


def render() -> str:
    """The JSON, with a newline at its end."""
    made = dashboard.Dashboard(TITLE).uid(UID).tags(["lakeproof"]).timezone("browser").readonly()
    made.time("now-1h", "now").refresh("10s").tooltip(DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    identity = 0
    for heading, panels in ROWS:
        identity += 1
        made.with_row(dashboard.Row(heading).id(identity))
        for panel in panels:
            identity += 1
            made.with_panel(panel.id(identity))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(render(), encoding="utf-8")
    print(f"wrote {OUTPUT}")
