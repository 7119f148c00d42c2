"""Diagnosis over the real causes, with made-up readings: every state told apart, none called by another's name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.diagnosis.least_readings import USUAL

from lakeproof.arguments import parse_arguments
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.component_causes import NO_SCENARIO, component_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, asked_by, diagnose, within_reach
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes.components import answers_probe, ready_probe
from lakeproof.probes.condition import Operator
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.component import Command, Component

PROBES = all_probes()
CAUSES = load_causes(PROBES, scenario_folders())
NO_ANSWER = "no answer"

# Where health is one value, that is what a healthy stack reads, of one source.
ONE_VALUE: dict[str, Value] = {
    probe.id: probe.healthy.value
    for probe in PROBES.values()
    if probe.healthy is not None and probe.healthy.operator is Operator.IS and not probe.id.startswith("shop-")
}
ONE_HEALTHY: dict[str, Value] = {
    **ONE_VALUE,
    **{name: "yes" for name in PROBES if name.endswith("-ready")},
    "oltp-connector-state": "RUNNING",
    "oltp-task-state": "RUNNING",
    "oltp-task-failure": "none",
    "mysql-answers": "answers",
    "oltp-capture-login": "accepted",
    "oltp-missing-privileges": 0,
    "oltp-heartbeat-age": 0.6,
    "broker-answers": "answers",
    "oltp-topic-silence": 0.4,
    "open-transaction": 0.02,
    "oltp-source-lag": 700,
    "oltp-ticker": "ok",
    "oltp-transaction-rows": 0,
    "oltp-unexpected-columns": "none",
    "oltp-unreadable-columns": "none",
    "oltp-missing-columns": "none",
    "oltp-renamed-columns": "none",
    "oltp-fields-left-out": 0,
    "oltp-job-state": "running",
    "oltp-job-restarts": 1,
    "oltp-job-failures": 0,
    "oltp-job-exception": "none",
    "oltp-refused-value": "none",
    "oltp-checkpoint-age": 0.8,
    "oltp-checkpoints-failed": 2,
    "oltp-topic-unread": 900,
    "taskmanager-stopped": 0.0,
    "taskmanager-cpu": 32.0,
    "store-writes": "writable",
    "oltp-publisher-status": "healthy",
    "oltp-publish-age": 2.0,
    **{name: "answers" for name in PROBES if name.endswith("-answers")},
    **{name: 0.0 for name in PROBES if name.endswith("-refusals")},
    "provider-answer": "accepts",
    "notification-failure-share": 0.0,
    "fulfillment-lag": 0.0,
    "labels-held": 0,
    "trino-queries-by-user": "nobody",
    "redis-room": "room",
    "support-attachment-folder": "fine",
    "campaign-turned-down": "none",
    "campaign-opt-outs": "none",
    "event-shapes": "none",
    "labels-ready-writes": "writable",
    "support-late-sources": "none",
    "support-timeline-p95": 0.1,
    "trino-oldest-query": None,
    "trino-longest-wait": None,
    **{f"{server}-connections": 3.5 for server in ("mysql", "postgres")},
    **{f"{server}-idle-account": 2.5 for server in ("mysql", "postgres")},
    **{f"{server}-accounts": "order_service: 5, 5 of them idle" for server in ("mysql", "postgres")},
}


def of_shop(*readings: dict[str, Value]) -> dict[str, Value]:
    """The same readings, of PostgreSQL's source."""
    return {name.replace("oltp-", "shop-"): value for changed in readings for name, value in changed.items()}


OF_OLTP = {name: value for name, value in ONE_HEALTHY.items() if name.startswith("oltp-")}
# A probe that is not named here reads what is usual by the causes' own evidence.
HEALTHY = {
    **{name: seen.first.value for name, seen in USUAL.items()},
    **ONE_HEALTHY,
    **of_shop(OF_OLTP),
    "shop-slot-state": "kept",
}
# What main shows grows old as well, however much is published.
BEHIND: dict[str, Value] = {"oltp-topic-silence": 90.0, "oltp-source-lag": 90_000, "oltp-publish-age": 88.0}
LOCK_WAIT = "1205 Lock wait timeout exceeded; try restarting transaction"
CONNECT_GONE: dict[str, Value] = {
    "oltp-connector-state": NO_ANSWER,
    "oltp-task-state": NO_ANSWER,
    "oltp-task-failure": NO_ANSWER,
}
DATABASE_GONE: dict[str, Value] = {
    "oltp-unexpected-columns": NO_ANSWER,
    "oltp-unreadable-columns": NO_ANSWER,
    "oltp-missing-columns": NO_ANSWER,
    "oltp-renamed-columns": NO_ANSWER,
    "oltp-heartbeat-age": NO_ANSWER,
    "oltp-capture-login": NO_ANSWER,
    "oltp-missing-privileges": NO_ANSWER,
}
JOB_GONE: dict[str, Value] = {
    name: NO_ANSWER
    for name in (
        "oltp-job-state",
        "oltp-job-restarts",
        "oltp-job-failures",
        "oltp-job-exception",
        "oltp-refused-value",
        "oltp-checkpoint-age",
        "oltp-checkpoints-failed",
    )
}
NOT_PUBLISHED: dict[str, Value] = {"oltp-publish-age": 90.0}
JOB_FAILS: dict[str, Value] = {
    "oltp-job-state": "restarting",
    "oltp-job-restarts": 9,
    "oltp-job-failures": 7,
    "oltp-job-exception": "java.io.IOException: no",
    "oltp-checkpoint-age": 70.0,
    "oltp-checkpoints-failed": 5,
    **NOT_PUBLISHED,
}
REFUSED_VALUE: dict[str, Value] = {
    "oltp-job-exception": "java.lang.ArithmeticException: 3000000001 is out of range",
    "oltp-refused-value": "oltp.order_items.line: 3000000001 is not INT",
    "oltp-unreadable-columns": "oltp.order_items.line",
}
JOB_WAITS: dict[str, Value] = {"oltp-job-state": "restarting", "oltp-checkpoint-age": 70.0, **NOT_PUBLISHED}
STARVED: dict[str, Value] = {"taskmanager-stopped": 93.0, "taskmanager-cpu": 4.8}
STOPPED: dict[str, Value] = {"taskmanager-stopped": 100.0, "taskmanager-cpu": 0.0}
READ_ONLY: dict[str, Value] = {"store-writes": "refuses writes"}
REFUSALS_UNSEEN: dict[str, Value] = {name: NO_ANSWER for name in PROBES if name.endswith("-refusals")}
GROWING = {
    "oltp-topic-silence",
    "open-transaction",
    "oltp-source-lag",
    "oltp-heartbeat-age",
    "oltp-job-restarts",
    "oltp-checkpoint-age",
    "oltp-checkpoints-failed",
    "oltp-publish-age",
}
GROWING |= {name.replace("oltp-", "shop-") for name in GROWING}
LIVENESS = {probe.source: probe.id for probe in PROBES.values() if probe.liveness}


def gone(name: str, how: str) -> dict[str, Value]:
    """What the component's own two probes read while it is down (refused) or hangs (silent)."""
    ready = {f"{name}-ready": "no answer: ConnectError"} if f"{name}-ready" in PROBES else {}
    return {LIVENESS[name]: how, **ready}


def look(changed: dict[str, Value]) -> Diagnosis:
    return diagnose(CAUSES, {name: observation(name, value) for name, value in (HEALTHY | changed).items()})


def observation(name: str, value: Value) -> Observation:
    probe = PROBES[name]
    at = datetime.now(UTC)

    def read(seen: Value, when: datetime) -> Reading:
        if seen == NO_ANSWER:
            return Reading(name, None, probe.unit, when, probe.source, probe.query, NO_ANSWER)
        return Reading(name, seen, probe.unit, when, probe.source, probe.query)

    out_of_range = name in GROWING and isinstance(value, int | float) and value != HEALTHY[name]
    later = value + 2 if out_of_range and isinstance(value, int | float) else value
    return Observation(probe, read(value, at), read(later, at + timedelta(seconds=2)))


def test_no_reading_here_is_of_a_probe_that_no_cause_asks() -> None:
    assert {probe.id for probe in asked_by(CAUSES, PROBES)} == set(HEALTHY)


def test_a_healthy_stack_has_no_cause() -> None:
    found = look({})
    assert found.healthy
    assert found.as_json() == {"healthy": True, "causes": [], "unknown": [], "hidden": []}


def test_a_heartbeat_that_a_lock_keeps_waiting_is_no_ticker_that_stopped() -> None:
    """A global lock of MariaDB, as a backup takes it: nothing names who holds it."""
    found = look({"oltp-heartbeat-age": 40.0, "oltp-ticker": LOCK_WAIT, **BEHIND})
    assert found.findings == ()
    assert "oltp-heartbeat-age" in {seen.reading.probe for seen in found.unknown}


STATES: list[tuple[str, dict[str, Value]]] = [
    ("reservation_ttl_shortened", {"reservation-ttl-shortfall": 295.0}),
    *(
        (f"{node.replace('-', '_')}_emptied", {**gone(node, "refused"), f"{node}-data": "gone"})
        for node in ("cassandra-seed", "cassandra-node2", "cassandra-node3")
    ),
    ("reservation_setting_too_low", {"reservation-setting-shortfall": 270.0}),
    (
        "mail_refused",
        {
            "provider-answer": "451 4.7.1 over the limit",
            "notification-failure-share": 80.0,
            "notification-service-refusals": 40.0,
        },
    ),
    ("campaign_over_limit", {"campaign-turned-down": "5a0c: 12 turned down"}),
    ("events_reshaped", {"event-shapes": "payment: 23 payment.captured lack order_id and have order"}),
    ("campaign_unwelcome", {"campaign-opt-outs": "5a0c: 40 opted out"}),
    ("labels_held", {"fulfillment-lag": 30.0, "labels-held": 3}),
    ("ready_refused", {"labels-ready-writes": "ExistingObjectIsDirectory", "fulfillment-lag": 12.0}),
    # Where the store takes no writes at all, that it takes none there is no second cause.
    ("store_not_writable", {**READ_ONLY, "labels-ready-writes": "refuses writes"}),
    (
        "resource_group_full",
        {
            "trino-queued": 9,
            "trino-oldest-query": 40.0,
            "trino-longest-wait": 38.0,
            "trino-queries-by-user": "analyst in people.analyst: 3 run, 9 wait",
        },
    ),
    ("resource_group_full", {"trino-queued": 1, "trino-oldest-query": 900.0, "trino-longest-wait": 310.0}),
    ("timeline_source_late", {"support-late-sources": "fulfillment-service", "support-timeline-p95": 2.9}),
    ("timeline_source_late", {"support-late-sources": "order-service payment-service"}),
    ("attachments_pile_up", {"support-attachment-folder": "grows by 7.2 GB an hour"}),
    ("redis_full", {"redis-room": "full: 67.1 of 67.1 MB used, 18 keys that never end"}),
    # It answers nobody: then it is not late for support alone.
    ("fulfillment_service_hung", {**gone("fulfillment-service", "silent"), "support-timeline-p95": 2.9}),
    ("redis_hung", {"redis-answers": "silent", "support-timeline-p95": 2.2}),
    (
        "mysql_sessions_leaked",
        {
            "mysql-connections": 100.0,
            "mysql-idle-account": 97.5,
            "mysql-answers": "error 1040",
            "order-service-ready": "/health says 503: mysql",
            **DATABASE_GONE,
            **BEHIND,
        },
    ),
    ("mysql_session_blocks", {"mysql-lock-waiters": 150, "mysql-connections": 100.0, "mysql-answers": "error 1040"}),
    ("mysql_session_blocks", {"mysql-lock-waiters": 7}),
    # The heartbeat's row is among those that it holds.
    (
        "mysql_session_blocks",
        {"mysql-lock-waiters": 7, "oltp-heartbeat-age": 40.0, "oltp-ticker": LOCK_WAIT, **BEHIND},
    ),
    (
        "mysql_session_blocks",
        {"mysql-lock-waiters": 7, "oltp-heartbeat-age": 40.0, "oltp-ticker": NO_ANSWER, **BEHIND},
    ),
    ("postgres_session_blocks", {"postgres-lock-waiters": 90, "postgres-connections": 92.0}),
    # Its last logins were turned away, and some sessions have ended since.
    ("postgres_sessions_leaked", {"postgres-idle-account": 80.0, "postgres-answers": "error 53300"}),
    # Others hold the administrator's places too, and nobody can be asked who holds the rest (seen in a drill).
    (
        "postgres_sessions_leaked",
        {
            "postgres-connections": 100.0,
            "postgres-answers": "error 53300",
            **dict.fromkeys(("postgres-idle-account", "postgres-accounts", "event-shapes"), NO_ANSWER),
        },
    ),
    # Before the server is full.
    ("mysql_sessions_leaked", {"mysql-connections": 92.5, "mysql-idle-account": 88.0}),
    (
        "postgres_sessions_leaked",
        {
            "postgres-connections": 97.0,
            "postgres-idle-account": 80.0,
            "postgres-answers": "error 53300",
            "payment-service-ready": "/health says 503: postgres",
        },
    ),
    (
        "taskmanager_starved",
        {
            **STARVED,
            "oltp-topic-unread": 24_000,
            "oltp-checkpoint-age": 44.0,
            "oltp-checkpoints-failed": 3,
            **NOT_PUBLISHED,
        },
    ),
    # It missed heartbeats, and both questions to it came too late.
    (
        "taskmanager_starved",
        {**STARVED, **gone("flink-taskmanager", "silent"), **JOB_FAILS, **of_shop(JOB_FAILS)},
    ),
    (
        "store_late",
        {"taskmanager-store-delay": 1.03, "oltp-topic-unread": 31_000, "oltp-checkpoint-age": 45.0, **NOT_PUBLISHED},
    ),
    ("store_late", {"taskmanager-store-delay": 1.03, **JOB_FAILS, **NOT_PUBLISHED}),
    ("taskmanager_starved", STARVED),
    ("taskmanager_starved", {**STARVED, "taskmanager-stopped": 100.0}),  # it ran between two looks only
    ("paused_connector", {"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED", **BEHIND}),
    ("stopped_connector", {"oltp-connector-state": "STOPPED", "oltp-task-state": None, **BEHIND}),
    ("deleted_connector", {"oltp-connector-state": None, "oltp-task-state": None, **BEHIND}),
    (
        "connector_login_rejected",
        {
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "login rejected",
            "oltp-capture-login": "rejected",
            "oltp-missing-privileges": NO_ANSWER,
            **BEHIND,
        },
    ),
    ("connector_login_rejected", {"oltp-capture-login": "rejected", "oltp-missing-privileges": NO_ANSWER, **BEHIND}),
    (
        "connector_grant_lost",
        {"oltp-task-state": "FAILED", "oltp-task-failure": "no privilege", "oltp-missing-privileges": 1, **BEHIND},
    ),
    *(
        (
            "server_id_taken",
            {
                "oltp-task-state": "FAILED",
                "oltp-task-failure": "server id taken",
                "mysql-binlog-readers": account,
                **BEHIND,
            },
        )
        for account in ("report", "cdc")
    ),
    (
        "failed_task",
        {
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "server id taken",
            "mysql-binlog-readers": "none",
            **BEHIND,
        },
    ),
    ("failed_task", {"oltp-task-state": "FAILED", "oltp-task-failure": "login rejected", **BEHIND}),
    ("connect_hung", {**gone("connect", "silent"), **CONNECT_GONE, **BEHIND}),
    ("connect_down", {**gone("connect", "refused"), **CONNECT_GONE, **BEHIND}),
    ("mysql_down", {"mysql-answers": "refused", **DATABASE_GONE, **BEHIND}),
    (
        "mysql_hung",
        {
            "mysql-answers": "silent",
            "order-service-ready": "/health says 503: mysql",
            "order-service-refusals": 100.0,
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "no database",
            **DATABASE_GONE,
            **BEHIND,
        },
    ),
    ("mysql_unhealthy", {"mysql-answers": "error 1040", **DATABASE_GONE}),
    (
        "kafka_down",
        {
            "broker-answers": "refused",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            "oltp-source-lag": 40_000,
            "connect-ready": "/health answered 503",
            "oltp-task-state": "FAILED",
            "oltp-task-failure": "other",
            **JOB_FAILS,
        },
    ),
    (
        "kafka_hung",
        {
            "broker-answers": "silent",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            **CONNECT_GONE,
            **JOB_FAILS,
        },
    ),
    (
        "hanging_transaction",
        {"open-transaction": 130.0, "oltp-connector-state": "UNASSIGNED", **BEHIND, **NOT_PUBLISHED},
    ),
    ("ticker_stopped", {"oltp-heartbeat-age": 40.0, **BEHIND}),
    ("unannounced_column", {"oltp-unexpected-columns": "oltp.orders.unannounced", "oltp-fields-left-out": 1}),
    # Seen before any row was changed since.
    ("unannounced_column", {"oltp-unexpected-columns": "oltp.orders.unannounced"}),
    ("shop_unannounced_column", {"shop-unexpected-columns": "payment.payments.x"}),
    (
        "lag_exporter_down",
        {"oltp-heartbeat-age": 40.0, **gone("lag-exporter", "refused"), "oltp-source-lag": NO_ANSWER},
    ),
    (
        "minio_down",
        {**gone("minio", "refused"), "store-writes": NO_ANSWER, **JOB_FAILS, "oltp-publisher-status": "degraded"},
    ),
    ("prometheus_hung", {**gone("prometheus", "silent"), **REFUSALS_UNSEEN}),
    ("prometheus_down", {**gone("prometheus", "refused"), **REFUSALS_UNSEEN}),
    (
        "inventory_service_unhealthy",
        {"inventory-service-ready": "/health says 503: cassandra", "inventory-service-refusals": 80.0},
    ),
    (
        "minio_hung",
        {
            **gone("minio", "silent"),
            "store-writes": NO_ANSWER,
            **JOB_FAILS,
            "oltp-publisher-status": "stuck",
            "publisher-ready": "503",
        },
    ),
    (
        "flink_jobmanager_down",
        {
            **gone("flink-jobmanager", "refused"),
            **gone("flink-taskmanager", "refused"),
            **JOB_GONE,
            **NOT_PUBLISHED,
        },
    ),
    (
        # One that was started meanwhile waits for it.
        "flink_jobmanager_down",
        {
            **gone("flink-jobmanager", "refused"),
            "flink-taskmanager-ready": "waits for the JobManager",
            **JOB_GONE,
            **NOT_PUBLISHED,
        },
    ),
    ("flink_jobmanager_hung", {**gone("flink-jobmanager", "silent"), **JOB_GONE, **NOT_PUBLISHED}),
    ("flink_taskmanager_hung", {**gone("flink-taskmanager", "silent"), **STOPPED, **JOB_FAILS}),
    ("flink_taskmanager_down", {**gone("flink-taskmanager", "refused"), **JOB_FAILS}),
    (
        "nessie_down",
        {**gone("nessie", "refused"), "oltp-publisher-status": "degraded", "oltp-publish-age": NO_ANSWER},
    ),
    ("publisher_hung", {**gone("publisher", "silent"), "oltp-publisher-status": NO_ANSWER, **NOT_PUBLISHED}),
    (
        "job_missing",
        {
            "oltp-job-state": None,
            "oltp-job-restarts": None,
            "oltp-refused-value": None,
            "oltp-checkpoint-age": None,
            **NOT_PUBLISHED,
        },
    ),
    ("job_ended", {"oltp-job-state": "ended", "oltp-checkpoint-age": 70.0, **NOT_PUBLISHED}),
    ("job_restarting", JOB_FAILS),
    # Both looks fell between two restarts; its checkpoints are overdue for the same reason.
    ("job_restarting", {**JOB_FAILS, "oltp-job-state": "running"}),
    # The least that counts.
    ("job_restarting", {"oltp-job-failures": 2}),
    ("unreadable_value", {**JOB_FAILS, **REFUSED_VALUE}),
    # Both looks fell between two restarts, and the column has its type back: the record is still in the topic.
    (
        "unreadable_value",
        {**JOB_FAILS, **REFUSED_VALUE, "oltp-job-state": "running", "oltp-unreadable-columns": "none"},
    ),
    ("changed_column", {"oltp-unreadable-columns": "oltp.orders.total"}),
    ("binlog_purged", {"oltp-task-state": "FAILED", "oltp-task-failure": "position lost", **BEHIND}),
    ("large_transaction", {"oltp-transaction-rows": 41_000, "oltp-source-lag": 42_000}),
    ("shop_large_transaction", {"shop-transaction-rows": 41_000}),
    ("missing_column", {"oltp-missing-columns": "oltp.orders.total"}),
    ("shop_missing_column", {"shop-missing-columns": "payment.payments.amount"}),
    # Two renamed columns of one table: what is unexpected there holds what is missing, and may not be dropped.
    (
        "missing_column",
        {
            "oltp-missing-columns": "oltp.order_items.quantity oltp.order_items.sku",
            "oltp-unexpected-columns": "oltp.order_items.pieces oltp.order_items.sku_code",
        },
    ),
    ("renamed_column", {"oltp-renamed-columns": "oltp.orders.total→sum"}),
    ("shop_renamed_column", {"shop-renamed-columns": "payment.payments.amount→sum"}),
    ("shop_changed_column", {"shop-unreadable-columns": "payment.payments.amount"}),
    ("job_restarting", JOB_WAITS),
    # It was given up after its last failures.
    ("job_ended", {**JOB_FAILS, "oltp-job-state": "ended"}),
    # A new job is not there yet, and Flink has forgotten the failures of the old one.
    ("job_missing", {**JOB_FAILS, "oltp-job-state": None, "oltp-job-failures": None, "oltp-job-exception": None}),
    ("store_not_writable", READ_ONLY),
    ("store_not_writable", {**READ_ONLY, **JOB_FAILS, "oltp-publisher-status": "degraded"}),
    ("store_not_writable", {"store-writes": "full", "oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9}),
    (
        "store_not_writable",
        {
            "store-writes": "InternalError",
            "support-service-refusals": 30.0,
            "oltp-job-state": None,
            **of_shop(JOB_FAILS, {"oltp-publisher-status": "degraded", "oltp-job-state": "ended"}),
        },
    ),
    (
        "minio_unhealthy",
        {
            **READ_ONLY,
            "minio-ready": "no answer to a signed request",
            **JOB_FAILS,
            "oltp-publisher-status": "degraded",
        },
    ),
    ("checkpoints_failing", {"oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9, **NOT_PUBLISHED}),
    ("publishing_frozen", {"oltp-publisher-status": "frozen", **NOT_PUBLISHED}),
    ("publishing_failing", {"oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    ("main_written", {"main-author": "somebody", "oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    (
        "main_written",
        {"main-author": "ann", "oltp-publisher-status": "degraded", "shop-publisher-status": "degraded"},
    ),
    ("main_moved", {"main-last-merge": "lost", "oltp-publisher-status": "degraded", **NOT_PUBLISHED}),
    ("shop_paused_connector", of_shop({"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED"}, BEHIND)),
    ("shop_stopped_connector", of_shop({"oltp-connector-state": "STOPPED", "oltp-task-state": None}, BEHIND)),
    ("shop_deleted_connector", of_shop({"oltp-connector-state": None, "oltp-task-state": None}, BEHIND)),
    (
        "shop_connector_login_rejected",
        of_shop({"oltp-capture-login": "rejected", "oltp-task-state": "FAILED"}, BEHIND),
    ),
    ("shop_connector_grant_lost", of_shop({"oltp-missing-privileges": 1, "oltp-task-state": "FAILED"}, BEHIND)),
    ("shop_failed_task", of_shop({"oltp-task-state": "FAILED", "oltp-task-failure": "no database"}, BEHIND)),
    ("shop_ticker_stopped", of_shop({"oltp-heartbeat-age": 40.0}, BEHIND)),
    (
        "shop_slot_lost",
        of_shop(
            {"shop-slot-state": "lost", "oltp-task-state": "FAILED", "oltp-task-failure": "position lost"}, BEHIND
        ),
    ),
    (
        "shop_slot_missing",
        of_shop({"shop-slot-state": None, "oltp-task-state": "FAILED", "oltp-task-failure": "other"}, BEHIND),
    ),
    (
        "postgres_down",
        {
            "postgres-answers": "refused",
            "payment-service-ready": "/health says 503: postgres",
            **of_shop(DATABASE_GONE, {"shop-slot-state": NO_ANSWER, "oltp-task-state": "FAILED"}, BEHIND),
        },
    ),
    ("shop_job_missing", of_shop({"oltp-job-state": None, "oltp-checkpoint-age": None}, NOT_PUBLISHED)),
    ("shop_job_ended", of_shop({"oltp-job-state": "ended", "oltp-checkpoint-age": 70.0}, NOT_PUBLISHED)),
    ("shop_job_restarting", of_shop(JOB_FAILS)),
    ("shop_job_restarting", of_shop(JOB_WAITS)),
    ("shop_checkpoints_failing", of_shop({"oltp-checkpoint-age": 70.0, "oltp-checkpoints-failed": 9}, NOT_PUBLISHED)),
    ("shop_publishing_frozen", of_shop({"oltp-publisher-status": "frozen"}, NOT_PUBLISHED)),
    ("shop_publishing_failing", of_shop({"oltp-publisher-status": "degraded"}, NOT_PUBLISHED)),
    # Stopped by hand: its stop stops connector and job.
    (
        "shop_capture_down",
        {
            **gone("shop-capture", "refused"),
            **of_shop(
                {"oltp-source-lag": NO_ANSWER, "oltp-heartbeat-age": 40.0, "oltp-topic-silence": 40.0},
                {
                    "oltp-connector-state": "STOPPED",
                    "oltp-task-state": None,
                    "oltp-job-state": "ended",
                    "oltp-checkpoint-age": 70.0,
                },
                NOT_PUBLISHED,
            ),
        },
    ),
    # Trouble of what both stand on, and of the other one alone.
    (
        "connect_down",
        {**gone("connect", "refused"), **CONNECT_GONE, **BEHIND, **of_shop(CONNECT_GONE, BEHIND)},
    ),
    (
        "kafka_down",
        {
            "broker-answers": "refused",
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            **JOB_FAILS,
            **of_shop(
                {"oltp-topic-silence": NO_ANSWER, "oltp-source-lag": 40_000, "oltp-task-state": "FAILED"}, JOB_FAILS
            ),
        },
    ),
    ("flink_taskmanager_down", {**gone("flink-taskmanager", "refused"), **JOB_FAILS, **of_shop(JOB_FAILS)}),
    (
        "hanging_transaction",
        {
            "open-transaction": 130.0,
            **of_shop({"oltp-connector-state": "UNASSIGNED"}, BEHIND, NOT_PUBLISHED),
        },
    ),
    (
        "nothing_runs",
        {
            **{key: value for name in LIVENESS for key, value in gone(name, "refused").items()},
            **of_shop(
                CONNECT_GONE, DATABASE_GONE, JOB_GONE, {"shop-slot-state": NO_ANSWER, "oltp-source-lag": NO_ANSWER}
            ),
            **CONNECT_GONE,
            **DATABASE_GONE,
            **JOB_GONE,
            "oltp-topic-silence": NO_ANSWER,
            "open-transaction": NO_ANSWER,
            "oltp-source-lag": NO_ANSWER,
            "oltp-publisher-status": NO_ANSWER,
            "oltp-publish-age": NO_ANSWER,
            "store-writes": NO_ANSWER,
            **REFUSALS_UNSEEN,
        },
    ),
]


@pytest.mark.parametrize(("cause", "changed"), STATES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(STATES)])
def test_each_state_is_called_by_its_own_name_and_no_other(cause: str, changed: dict[str, Value]) -> None:
    found = look(changed)
    assert [finding.cause.id for finding in found.findings] == [cause]
    assert found.unknown == ()
    assert found.findings[0].evidence_for


@pytest.mark.parametrize("name", sorted(LIVENESS))
@pytest.mark.parametrize(("how", "state"), [("refused", "down"), ("silent", "hung")])
def test_a_component_that_is_gone_is_named_whatever_else_it_is(name: str, how: str, state: str) -> None:
    found = look(gone(name, how))
    assert [finding.cause.id for finding in found.findings] == [f"{name.replace('-', '_')}_{state}"]
    assert found.unknown == ()


@pytest.mark.parametrize("name", sorted(name for name in LIVENESS if f"{name}-ready" in PROBES))
def test_a_component_that_answers_and_is_not_well_is_named(name: str) -> None:
    found = look({f"{name}-ready": "answered 503"})
    assert [finding.cause.id for finding in found.findings] == [f"{name.replace('-', '_')}_unhealthy"]


def test_two_components_that_are_gone_are_both_named_although_one_needs_the_other() -> None:
    found = look({**gone("minio", "refused"), **gone("trino", "silent"), **gone("connect", "silent"), **CONNECT_GONE})
    assert {finding.cause.id for finding in found.findings} == {"minio_down", "trino_hung", "connect_hung"}


def test_a_cause_behind_a_named_one_is_told_as_hidden() -> None:
    states = dict(STATES)
    found = look({**states["kafka_hung"], **states["job_missing"]})
    assert [finding.cause.id for finding in found.findings] == ["kafka_hung"]
    assert {"cause": "job_missing", "by": "kafka_hung"} in found.as_json()["hidden"]
    assert "job_missing" in found.others("kafka_hung")
    assert look({}).hidden == ()


def test_causes_that_hide_each_other_are_both_named_rather_than_none() -> None:
    pair = [replace(cause, masked_by=("ticker_stopped", "paused_connector")) for cause in CAUSES]
    changed: dict[str, Value] = {"oltp-connector-state": "PAUSED", "oltp-heartbeat-age": 40.0}
    observed = {name: observation(name, value) for name, value in (HEALTHY | changed).items()}
    named = {finding.cause.id for finding in diagnose(pair, observed).findings}
    assert named == {"paused_connector", "ticker_stopped"}


def test_what_is_not_part_of_the_stack_is_neither_asked_nor_missed() -> None:
    absent = frozenset({"trino", "mysqld-exporter", "desk"})
    asked = asked_by(CAUSES, PROBES, absent)
    assert not {probe.source for probe in asked} & absent
    observed = {probe.id: observation(probe.id, HEALTHY[probe.id]) for probe in asked}
    assert diagnose(within_reach(CAUSES, asked), observed).healthy
    down: dict[str, Observation] = {}
    for probe in asked:
        down[probe.id] = observation(probe.id, "refused" if probe.liveness else NO_ANSWER)
    named = [finding.cause.id for finding in diagnose(within_reach(CAUSES, asked), down).findings]
    assert named == ["nothing_runs"]


def test_a_look_without_an_answer_is_unknown_neither_healthy_nor_a_cause() -> None:
    found = look({"trino-ready": NO_ANSWER})
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == ["trino-ready"]
    assert not found.healthy


@pytest.mark.parametrize(("waiting", "wait"), [(9, None), (9, 2.4), (1, 19.0), (5, 290.0)])
def test_queries_that_wait_for_others_or_for_a_moment_or_are_few_are_no_users_flood(
    waiting: int, wait: float | None
) -> None:
    """None: no user's own group is full."""
    crowd = "; ".join(f"user{at} in people.user{at}: 3 run, 0 wait" for at in range(6))
    found = look({"trino-queued": waiting, "trino-longest-wait": wait, "trino-queries-by-user": crowd})
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == ["trino-queued"]


def test_what_would_rule_a_cause_out_and_could_not_be_looked_at_speaks_against_it() -> None:
    found = look({"oltp-task-state": "FAILED", "oltp-missing-privileges": NO_ANSWER})
    assert [finding.cause.id for finding in found.findings] == ["failed_task"]
    assert "oltp-missing-privileges" in {seen.reading.probe for seen in found.findings[0].evidence_against}


def test_a_connector_that_has_not_made_its_slot_yet_is_no_incident() -> None:
    assert look(of_shop({"shop-slot-state": None})).findings == ()


def test_two_causes_at_once_are_both_named() -> None:
    found = look(
        {"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED", "oltp-heartbeat-age": 40.0, **BEHIND}
    )
    assert {finding.cause.id for finding in found.findings} == {"paused_connector", "ticker_stopped"}


def test_the_cause_that_explains_the_most_comes_first_however_little_evidence_it_states() -> None:
    """minio_down states one piece of evidence, the paused connector five."""
    paused: dict[str, Value] = {"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED", **BEHIND}
    stuck: dict[str, Value] = {**gone("minio", "refused"), "store-writes": NO_ANSWER, **of_shop(JOB_FAILS)}
    found = look({**paused, **stuck})
    assert [finding.cause.id for finding in found.findings] == ["minio_down", "paused_connector"]
    # Of the job too, whose trouble is masked.
    assert {"store-writes", "shop-job-failures"} <= found.findings[0].explains
    assert found.findings[1].explains == {
        *("oltp-connector-state", "oltp-task-state", "oltp-topic-silence", "oltp-source-lag", "oltp-publish-age"),
    }
    assert len(found.findings[1].evidence_for) > len(found.findings[0].evidence_for)


def test_two_connectors_with_the_same_trouble_are_both_named_and_each_repair_acts_on_its_own() -> None:
    paused: dict[str, Value] = {"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED", **BEHIND}
    found = look({**paused, **of_shop(paused)})
    told = {
        finding.cause.id: (finding.cause.subject["connector"], finding.cause.repairs[0].arguments)
        for finding in found.findings
    }
    assert told == {
        "paused_connector": ("orders", {"connector": "orders"}),
        "shop_paused_connector": ("shop", {"connector": "shop"}),
    }
    assert found.unknown == ()
    assert all(str(finding.cause.subject["connector"]) in finding.cause.says["en"] for finding in found.findings)


def test_evidence_of_one_connector_is_asked_of_that_connector() -> None:
    found = look(of_shop({"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED"}, BEHIND)).as_json()[
        "causes"
    ][0]
    queries = " ".join(evidence["query"] for evidence in found["for"])
    assert "/connectors/shop/status" in queries and "cdc.shop" in queries
    assert "orders" not in queries and "oltp" not in queries


def test_without_the_second_capture_nothing_is_asked_about_it() -> None:
    asked = {probe.id for probe in asked_by(CAUSES, PROBES, frozenset({"shop-capture"}))}
    assert asked == {name for name in HEALTHY if PROBES[name].within != "shop-capture" and "shop-capture" not in name}


def test_a_lake_that_stands_still_is_not_called_healthy() -> None:
    found = look({"oltp-publish-age": 90.0})
    assert [seen.reading.probe for seen in found.unknown] == ["oltp-publish-age"]
    assert not found.healthy


@pytest.mark.parametrize("service", sorted(name.removesuffix("-refusals") for name in REFUSALS_UNSEEN))
def test_a_service_that_refuses_its_calls_while_all_it_needs_is_well_is_not_called_healthy(service: str) -> None:
    found = look({f"{service}-refusals": 100.0})
    assert not found.healthy
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == [f"{service}-refusals"]


def test_one_failure_is_no_endless_restart() -> None:
    """A TaskManager that was killed once, and is back."""
    assert look(
        {"oltp-job-failures": 1, "oltp-job-exception": "TaskManager is no longer reachable", "oltp-job-restarts": 2}
    ).healthy


def test_the_exception_is_told_with_a_job_that_keeps_restarting() -> None:
    found = look(JOB_FAILS).findings[0]
    assert "java.io.IOException: no" in [seen.reading.value for seen in found.evidence_for]


def test_a_store_that_takes_no_writes_is_not_mended_by_a_restart_of_flink() -> None:
    assert [step.id for step in look(READ_ONLY).findings[0].cause.repairs] == ["make_store_writable"]


def test_what_fits_no_cause_is_unknown_and_not_healthy() -> None:
    found = look({"oltp-topic-silence": 60.0})
    assert not found.healthy
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == ["oltp-topic-silence"]


def test_what_no_outage_brings_about_is_not_put_down_to_one() -> None:
    """Kafka is down, and besides a job met a value that its types refuse, by which it does not fail any more."""
    kafka: dict[str, Value] = {"broker-answers": "refused", "oltp-topic-silence": NO_ANSWER, **JOB_WAITS}
    found = look({**kafka, "oltp-refused-value": "oltp.orders.total: x is not INT", "oltp-job-failures": 0})
    assert [finding.cause.id for finding in found.findings] == ["kafka_down"]
    assert [seen.reading.probe for seen in found.unknown] == ["oltp-refused-value"]
    paused = look({**kafka, "oltp-connector-state": "PAUSED"})
    assert {finding.cause.id for finding in paused.findings} == {"kafka_down", "paused_connector"}


def test_a_cause_accounts_for_the_value_that_it_states_and_not_for_another_one() -> None:
    found = look({"oltp-connector-state": "PAUSED", "oltp-task-state": "UNASSIGNED", **BEHIND})
    assert [finding.cause.id for finding in found.findings] == ["paused_connector"]
    assert [seen.reading.probe for seen in found.unknown] == ["oltp-task-state"]


def test_supporting_evidence_that_is_not_there_speaks_against() -> None:
    found = look({"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED"})
    assert [seen.reading.probe for seen in found.findings[0].evidence_against] == [
        "oltp-topic-silence",
        "oltp-source-lag",
    ]


def test_evidence_names_its_source_query_value_and_what_is_expected() -> None:
    first = look({"oltp-connector-state": "PAUSED", "oltp-task-state": "PAUSED"}).as_json()["causes"][0]["for"][0]
    assert first["source"] == "connect"
    assert first["query"].startswith("GET /connectors/orders/status")
    assert first["value"] == "PAUSED"
    assert first["expected"] == "== RUNNING"


def test_every_cause_of_a_file_has_a_state_here() -> None:
    assert {cause.id for cause in CAUSES if cause.scenario != NO_SCENARIO} <= {name for name, _ in STATES}


def test_every_repair_of_one_source_acts_on_that_one() -> None:
    """With what it does by default too."""
    mitigations = all_mitigations()
    seen = 0
    for cause in CAUSES:
        for step in cause.repairs if "source" in cause.subject else ():
            given = parse_arguments(mitigations[step.id].arguments, step.arguments, cause.id).model_dump()
            for name in {"connector", "database"} & given.keys():
                assert given[name] == cause.subject[name], f"{cause.id}: {step.id} {name}"
                seen += 1
    assert seen >= 14


def test_a_new_component_has_its_causes_with_no_other_edit() -> None:
    strange = Component(
        "kettle", "engine", lambda stack: Command(("kettle",)), lambda stack, timeout: None, {"http": 1}
    )
    probes = {"kettle-answers": answers_probe(strange, "http"), "kettle-ready": ready_probe(strange)}
    found = {cause.id for cause in component_causes({"kettle": strange}, probes)}
    assert found == {"kettle_down", "kettle_hung", "kettle_unhealthy", "nothing_runs"}


def test_a_node_that_is_down_accounts_for_what_the_others_see_of_it() -> None:
    others: dict[str, Value] = {
        "cassandra-seed-sees-down": 1,
        "cassandra-node3-sees-down": 1,
        "cassandra-node2-sees-down": NO_ANSWER,
    }
    found = look({**gone("cassandra-node2", "refused"), **others})
    assert [finding.cause.id for finding in found.findings] == ["cassandra_node2_down"]
    assert not found.unknown


def test_a_node_that_only_the_ring_misses_is_not_called_healthy() -> None:
    found = look({"cassandra-seed-sees-down": 1})
    assert [seen.reading.probe for seen in found.unknown] == ["cassandra-seed-sees-down"]


def test_a_full_server_whose_sessions_all_work_has_no_leak() -> None:
    working: dict[str, Value] = {"mysql-connections": 95.0, "mysql-idle-account": 4.0}
    found = look(working)
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == ["mysql-connections"]
    full = look({**working, "mysql-answers": "error 1040"})
    assert [finding.cause.id for finding in full.findings] == ["mysql_unhealthy"]


def test_without_the_ring_nobody_blames_the_ttl() -> None:
    found = look({**gone("cassandra-seed", "refused"), "reservation-ttl-shortfall": NO_ANSWER})
    assert [finding.cause.id for finding in found.findings] == ["cassandra_seed_down"]


def test_a_stack_without_a_capture_has_no_heartbeat_that_could_be_old() -> None:
    absent = frozenset({"lag-exporter", "connect", "shop-capture"})
    asked = {probe.id for probe in asked_by(CAUSES, PROBES, absent)}
    assert not asked & {"oltp-heartbeat-age", "oltp-topic-silence"}
    assert "mysql-answers" in asked
