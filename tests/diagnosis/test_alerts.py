"""While an alert fires a diagnosis does not call the stack healthy: each alert has a probe that is out of range."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from tests.conftest import Answering
from tests.diagnosis.least_readings import ASKED, CAUSES, PROBES
from tests.diagnosis.readings import look

from lakeproof.observability.rules import find_rules
from lakeproof.probes.limits import LIMITS, Limit
from lakeproof.probes.prometheus import restarting
from lakeproof.probes.reading import Value
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

DOCUMENT = Path(__file__).parents[2] / "docs" / "drills.md"
RULES = {rule.alert: rule for file in find_rules() for rule in file.alerts}
BY_LIMIT = {limit.alert: (limit.id,) for limit in LIMITS}


def of_each_source(kind: str) -> tuple[str, ...]:
    return tuple(f"{source}-{kind}" for source in ("oltp", "shop"))


WATCHED = [name for name, one in all_components().items() if not one.on_demand]
# Which probes are out of range while the alert fires, one of them at the least.
BY_HAND: dict[str, tuple[str, ...]] = {
    "CassandraNodeDown": ("cassandra-seed-sees-down", "cassandra-node2-sees-down", "cassandra-node3-sees-down"),
    "MySQLConnectionsHigh": ("mysql-connections",),
    "PostgreSQLConnectionsHigh": ("postgres-connections",),
    "KafkaConnectTaskFailed": of_each_source("task-state"),
    "KafkaConnectConnectorMissing": of_each_source("connector-state"),
    "CaptureSettingsChanged": (
        *of_each_source("connector-changes"),
        *of_each_source("log-lacks"),
        *of_each_source("topic-changes"),
    ),
    "FulfillmentDelay": ("fulfillment-lag",),
    "FulfillmentLagUnknown": ("fulfillment-lag",),
    "FulfillmentLabelsRefused": ("labels-pending-writes", "labels-ready-writes", "store-writes"),
    "LakePublishStale": of_each_source("publish-age"),
    "LakeCommitFailing": of_each_source("publisher-status"),
    "CdcReplicationLagHigh": of_each_source("source-lag"),
    "SchemaDriftDetected": tuple(
        name
        for kind in ("unexpected", "unreadable", "missing", "renamed")
        for name in of_each_source(f"{kind}-columns")
    ),
    "SupportTimelineLatencyHigh": ("support-timeline-p95",),
    "SupportAttachmentBacklogHigh": ("support-attachment-folder",),
    "SupportAttachmentGrowthRapid": ("support-attachment-folder",),
    "TrinoQueuedQueriesHigh": ("trino-queued",),
    "TrinoNotAnswering": ("trino-answers", "trino-ready", "trino-2-answers"),
    # Its half about the hour's own rate has no probe (docs/drills.md).
    "InventoryOversellRisk": ("reservation-ttl-shortfall", "reservation-setting-shortfall"),
    "ServiceUnavailable": tuple(probe.id for probe in PROBES.values() if probe.liveness),
    "ComponentRestarting": tuple(f"{name}-restarts" for name in WATCHED),
    "ServiceErrorRateHigh": tuple(f"{name}-refusals" for name in WATCHED if name.endswith("-service")),
}
# docs/drills.md says of each of them why.
NOBODY_DIAGNOSES = {
    "FlinkJobRestarting": "a single restart that the job is over fires it too; from two failures on, job-failures",
    "CapturePlaceExpiring": "it tells what a person stopped and forgot; what else stops a capture has causes",
    "LakeAuditStale": "no probe reads how old the newest full audit is",
    "IncidentNotAcknowledged": "it is about people",
    "AlertDeliveryFailing": "it is about the ways to people, not about what they are told of",
    "DeskRefusesWebhooks": "the same",
}


@pytest.mark.parametrize("alert", RULES)
def test_each_alert_has_a_probe_with_a_healthy_range_or_a_reason(alert: str) -> None:
    """A new alert fails here until somebody says what a diagnosis reads while it fires."""
    homes = [home for home in (BY_LIMIT, BY_HAND, NOBODY_DIAGNOSES) if alert in home]
    assert len(homes) == 1, f"{alert}: which probe is out of range while it fires?"
    if alert in NOBODY_DIAGNOSES:
        assert f"`{alert}`" in DOCUMENT.read_text(encoding="utf-8")
        return
    asked = {probe.id: probe for probe in ASKED}
    for name in {**BY_LIMIT, **BY_HAND}[alert]:
        assert name in asked, f"no diagnosis asks {name}"
        assert asked[name].healthy is not None, f"{name} is never out of range"


def test_nothing_is_said_of_an_alert_that_no_rule_defines() -> None:
    assert BY_LIMIT.keys() | BY_HAND.keys() | NOBODY_DIAGNOSES.keys() == RULES.keys()


def test_each_component_that_may_be_called_unavailable_is_asked_whether_it_answers() -> None:
    assert set(WATCHED) == {probe.source for probe in PROBES.values() if probe.liveness}


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.id)
def test_a_limit_is_the_rules_own(limit: Limit) -> None:
    expressions = [
        re.sub(r"\s+", "", rule.expr) for file in find_rules() for rule in file.alerts if rule.alert == limit.alert
    ]
    assert any(re.sub(r"\s+", "", limit.beyond) in expression for expression in expressions)


def test_restarts_are_counted_as_the_rule_counts_them() -> None:
    expression = RULES["ComponentRestarting"].expr.replace("> 2.5", "")
    assert re.sub(r"\s+", "", restarting()) == re.sub(r"\s+", "", expression)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.id)
def test_what_is_beyond_a_limit_and_has_no_cause_is_unknown_and_not_healthy(
    limit: Limit, tmp_path: Path, answering: Answering
) -> None:
    found: list[dict[str, object]] = [{"metric": {}, "value": [0, "7.25"]}]
    asked: list[str] = []

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        asked.append(parse_qs(urlsplit(path).query)["query"][0])
        return 200, {"status": "success", "data": {"resultType": "vector", "result": found}}

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"prometheus": {"http": answering(answer)}}))
    value = PROBES[limit.id].look(stack).value
    assert value == 7.25
    diagnosis = look({limit.id: value})
    assert not diagnosis.healthy and diagnosis.findings == ()
    assert [seen.reading.probe for seen in diagnosis.unknown] == [limit.id]
    assert asked == [limit.expression]
    found.clear()
    assert look({limit.id: PROBES[limit.id].look(stack).value}).healthy


def test_a_limit_is_no_evidence_of_any_cause() -> None:
    """It counts what its alert counts: a cause that rested on it would be found by the alert."""
    ids = {limit.id for limit in LIMITS}
    for cause in CAUSES.values():
        assert ids.isdisjoint(item.probe for item in (*cause.alternatives, *cause.supporting, *cause.contradicting))


def test_what_is_over_says_nothing_and_neither_does_what_a_command_stopped_or_started() -> None:
    limit = Limit("x", "X", "sum(increase(errors_total[5m])) > 20", ("a", "b"), "a", "errors_total", 20)
    assert limit.expression == (
        "(sum(increase(errors_total[5m])) > 20 and sum(increase(errors_total[1m])) > 5) unless on () "
        'max_over_time(lakeproof_component_watched_since_seconds{component=~"a|b"}[1m]) > time()'
    )
    assert "[1m])) > 0) unless" in replace(limit, most=0).expression
    assert replace(limit, counter="").expression.startswith("(sum(increase(errors_total[5m])) > 20) unless")


# What each cause brings beyond a limit when it is played, beside its own least readings.
BESIDE: list[tuple[str, dict[str, Value], tuple[str, ...]]] = [
    (
        "mail_refused",
        {"provider-answer": "451 no", "notification-failure-share": 100.0},
        ("notification-failure-rate",),
    ),
    ("mail_sink_hung", {"mail-sink-answers": "silent"}, ("notification-failure-rate",)),
    ("redis_down", {"redis-answers": "refused"}, ("notification-limiter-errors", "support-cache-errors")),
    ("redis_hung", {"redis-answers": "silent"}, ("support-cache-errors", "support-collection-failures")),
    ("redis_full", {"redis-room": "full"}, ("notification-limiter-errors", "support-cache-errors")),
    ("campaign_over_limit", {"campaign-turned-down": "5a0c: 12 turned down"}, ("notification-rate-limited",)),
    ("campaign_unwelcome", {"campaign-opt-outs": "5a0c: 40 opted out"}, ("notification-opt-outs",)),
    ("events_reshaped", {"event-shapes": "payment: 23"}, ("notification-events-unreadable",)),
    ("timeline_source_late", {"support-late-sources": "order-service"}, ("support-collection-failures",)),
    ("fulfillment_service_hung", {"fulfillment-service-answers": "silent"}, ("support-collection-failures",)),
    ("renamed_column", {"oltp-renamed-columns": "a"}, ("support-collection-failures",)),
    ("missing_column", {"oltp-missing-columns": "a"}, ("notification-events-unreadable",)),
    ("taskmanager_starved", {"taskmanager-stopped": 90.0, "taskmanager-cpu": 2.0}, ("lake-backlog",)),
    ("store_late", {"taskmanager-store-delay": 1.0}, ("lake-backlog",)),
    ("unreadable_value", {"oltp-refused-value": "a", "oltp-job-failures": 7}, ("lake-backlog",)),
    ("topic_gap", {"oltp-topic-gap": "a", "oltp-job-failures": 7}, ("lake-backlog",)),
    ("flink_taskmanager_hung", {"flink-taskmanager-answers": "silent"}, ("lake-backlog",)),
    ("kafka_down", {"broker-answers": "refused"}, ("lake-backlog",)),
    ("large_transaction", {"oltp-transaction-rows": 9000}, ("lake-backlog",)),
    ("store_not_writable", {"store-writes": "InternalError"}, ("lake-backlog", "object-store-room")),
    ("store_full", {"store-writes": "full"}, ("lake-backlog", "object-store-room")),
    (
        "mysql_sessions_leaked",
        {"mysql-answers": "error 1040", "mysql-idle-account": 90.0},
        ("support-collection-failures",),
    ),
    ("prometheus_hung", {"prometheus-answers": "silent"}, tuple(limit.id for limit in LIMITS)),
]


@pytest.mark.parametrize(("cause", "readings", "beyond"), BESIDE, ids=[cause for cause, _, _ in BESIDE])
def test_a_cause_accounts_for_the_limits_that_it_takes_a_stack_beyond(
    cause: str, readings: dict[str, Value], beyond: tuple[str, ...]
) -> None:
    found = look({**readings, **dict.fromkeys(beyond, 12.0)})
    assert [finding.cause.id for finding in found.findings] == [cause]
    assert found.unknown == ()


RULES_TEST = """
rule_files: [rules.yml]
evaluation_interval: 5s
tests:
  - interval: 5s
    input_series:
      - {series: notification_failure_total, values: 0x20 0+1x60 60x60}
      - {series: notification_sent_total, values: 0+1x20 20+1x200}
      - {series: notification_opt_out_total, values: 0x10 0+5x8 40x40 40+1x100}
      - {series: notification_rate_limit_errors_total, values: 0x20 0+1x200}
      - {series: 'lakeproof_component_watched_since_seconds{component="notification-service"}', values: 0x300}
      - {series: 'lakeproof_component_watched_since_seconds{component="redis"}', values: 1e12x30 0x300}
    promql_expr_test:
      # While it goes on, and once it is over; a customer who opts out now and then is no spike that goes on.
      - {expr: 'count(limit:notification_failure_rate)', eval_time: 250s, exp_samples: [{labels: '{}', value: 1}]}
      - {expr: 'count(limit:notification_failure_rate)', eval_time: 500s, exp_samples: []}
      - {expr: 'count(limit:notification_opt_outs)', eval_time: 95s, exp_samples: [{labels: '{}', value: 1}]}
      - {expr: 'count(limit:notification_opt_outs)', eval_time: 280s, exp_samples: []}
      # Redis was stopped by command.
      - {expr: 'count(limit:notification_limiter_errors)', eval_time: 190s, exp_samples: []}
      - {expr: 'count(limit:notification_limiter_errors)', eval_time: 250s, exp_samples: [{labels: '{}', value: 1}]}
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_limits_as_prometheus_evaluates_them(tmp_path: Path) -> None:
    rules = [{"record": f"limit:{limit.id.replace('-', '_')}", "expr": limit.expression} for limit in LIMITS]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "limits", "rules": rules}]}))
    (tmp_path / "rules.test.yml").write_text(RULES_TEST)
    done = subprocess.run(
        ["promtool", "test", "rules", "rules.test.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
