"""What every probe reads on a healthy stack, what it reads amid some troubles, and the diagnosis of such readings."""

from datetime import UTC, datetime, timedelta

from tests.diagnosis.least_readings import USUAL
from tests.doubles.plugins import OURS

from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.diagnosis import Diagnosis, diagnose
from lakeproof.probes.condition import Operator
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.folder import scenario_folders

PROBES = all_probes(OURS)
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
    "oltp-task-error": "none",
    "oltp-connector-changes": "none",
    "oltp-task-worker": "there",
    "mysql-answers": "answers",
    "oltp-capture-login": "accepted",
    "oltp-missing-privileges": 0,
    "oltp-log-lacks": "none",
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
    "oltp-topic-gap": "none",
    "oltp-checkpoint-age": 0.8,
    "oltp-checkpoints-failed": 2,
    "oltp-topic-unread": 900,
    "taskmanager-stopped": 0.0,
    "taskmanager-cpu": 32.0,
    "store-writes": "writable",
    "lake-writes": "writable",
    "store-other-buckets": "none",
    "store-free-megabytes": 52_000.0,
    "oltp-publisher-status": "healthy",
    "oltp-audit-finding": "none",
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
    "labels-pending-writes": "writable",
    "support-late-sources": "none",
    "support-slow-sources": "none",
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
    "oltp-binlog-place": "there",
}
# What main shows grows old as well, however much is published.
BEHIND: dict[str, Value] = {"oltp-topic-silence": 90.0, "oltp-source-lag": 90_000, "oltp-publish-age": 88.0}
LOCK_WAIT = "1205 Lock wait timeout exceeded; try restarting transaction"
CONNECT_GONE: dict[str, Value] = {
    "oltp-connector-state": NO_ANSWER,
    "oltp-task-state": NO_ANSWER,
    "oltp-task-failure": NO_ANSWER,
    "oltp-task-error": NO_ANSWER,
    "oltp-connector-changes": NO_ANSWER,
    "oltp-task-worker": NO_ANSWER,
}
TOPICS_UNKNOWN: dict[str, Value] = {"oltp-topic-changes": NO_ANSWER, "other-topic-changes": NO_ANSWER}
DATABASE_GONE: dict[str, Value] = {
    "oltp-unexpected-columns": NO_ANSWER,
    "oltp-unreadable-columns": NO_ANSWER,
    "oltp-missing-columns": NO_ANSWER,
    "oltp-renamed-columns": NO_ANSWER,
    "oltp-heartbeat-age": NO_ANSWER,
    "oltp-capture-login": NO_ANSWER,
    "oltp-missing-privileges": NO_ANSWER,
    "oltp-log-lacks": NO_ANSWER,
}
JOB_GONE: dict[str, Value] = {
    name: NO_ANSWER
    for name in (
        "oltp-job-state",
        "oltp-job-restarts",
        "oltp-job-failures",
        "oltp-job-exception",
        "oltp-refused-value",
        "oltp-topic-gap",
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
TOPIC_GAP: dict[str, Value] = {
    "oltp-job-exception": "java.io.IOException: events of a transaction are missing",
    "oltp-topic-gap": "transaction 0-1-7: END counts {oltp.order_items=2}, came {}",
}
PARTIAL_ROWS: dict[str, Value] = {"oltp-task-state": "FAILED", "oltp-task-failure": "partial rows"}
CHANGED_CONNECTOR: dict[str, Value] = {"oltp-connector-changes": "table.include.list"}
BROKEN_IN_LAKE: dict[str, Value] = {
    "oltp-audit-finding": "81 broken at 0e4bba86f785f463 and whole in the source: order 289: 0 of 4 items",
    "oltp-publisher-status": "frozen",
}
CUT_OFF: dict[str, Value] = {
    "oltp-topic-gap": "passed over, and not brought yet",
    "oltp-connector-state": "STOPPED",
    "oltp-task-state": None,
    **BEHIND,
}
JOB_WAITS: dict[str, Value] = {"oltp-job-state": "restarting", "oltp-checkpoint-age": 70.0, **NOT_PUBLISHED}
STARVED: dict[str, Value] = {"taskmanager-stopped": 93.0, "taskmanager-cpu": 4.8}
STOPPED: dict[str, Value] = {"taskmanager-stopped": 100.0, "taskmanager-cpu": 0.0}
READ_ONLY: dict[str, Value] = {"store-writes": "refuses writes"}
RESTARTS_UNSEEN: dict[str, Value] = {
    name: NO_ANSWER for name, probe in PROBES.items() if name == f"{probe.within}-restarts"
}
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
