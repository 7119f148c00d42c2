"""Diagnosis over the real causes, with made-up readings: every state told apart, none called by another's name."""

from dataclasses import replace

import pytest
from tests.diagnosis.readings import (
    BEHIND,
    CAUSES,
    CONNECT_GONE,
    HEALTHY,
    JOB_FAILS,
    JOB_WAITS,
    LIVENESS,
    LOCK_WAIT,
    NO_ANSWER,
    PROBES,
    READ_ONLY,
    REFUSALS_UNSEEN,
    gone,
    look,
    observation,
    of_shop,
)
from tests.diagnosis.states import STATES
from tests.doubles.plugins import OURS

from lakeproof.arguments import parse_arguments
from lakeproof.diagnosis.component_causes import NO_SCENARIO, component_causes
from lakeproof.diagnosis.diagnosis import asked_by, diagnose, within_reach
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes.components import answers_probe, ready_probe
from lakeproof.probes.looking import Observation
from lakeproof.probes.reading import Value
from lakeproof.stack.component import Command, Component


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


def test_a_login_that_is_turned_down_hides_nothing() -> None:
    """The diagnosis's own login: what else is wrong is no matter of the database."""
    found = look(
        {"mysql-answers": "rejected", "order-service-ready": "/health says 503: kafka", **gone("connect", "silent")}
    )
    named = {finding.cause.id for finding in found.findings}
    assert named == {"mysql_login_rejected", "connect_hung", "order_service_unhealthy"}


@pytest.mark.parametrize("state", ["restarting", "starting", "login_rejected"])
def test_what_a_restart_does_not_mend_proposes_none(state: str) -> None:
    causes = [cause for cause in CAUSES if cause.scenario == NO_SCENARIO and cause.id.endswith(f"_{state}")]
    assert causes and all(cause.repairs == () for cause in causes)
    assert {"mysql", "postgres", "redis"} <= {str(cause.subject["component"]) for cause in causes}


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


def test_a_component_that_ended_often_and_is_up_hides_no_trouble_of_now() -> None:
    found = look({"minio-restarts": 4, **READ_ONLY})
    assert {finding.cause.id for finding in found.findings} == {"store_not_writable", "minio_restarting"}


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


@pytest.mark.parametrize(
    ("probe", "value"),
    [
        ("oltp-publish-age", 90.0),
        ("oltp-topic-silence", 60.0),
        # Somebody else's may turn down the probe's recipient, and deliver every message of the shop.
        ("provider-answer", "550 5.7.1 relay denied"),
        # Somebody else's Connect has its passwords from a file of its own, and its capture keeps up.
        ("oltp-capture-login", "lakeproof.toml's is rejected"),
        # A service refuses its calls while all it needs is well.
        *((name, 100.0) for name in sorted(REFUSALS_UNSEEN)),
    ],
)
def test_what_fits_no_cause_is_unknown_and_not_healthy(probe: str, value: Value) -> None:
    found = look({probe: value})
    assert not found.healthy
    assert found.findings == ()
    assert [seen.reading.probe for seen in found.unknown] == [probe]


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


def test_a_task_that_cannot_read_its_log_is_not_restarted_and_its_trace_is_told() -> None:
    error = "io.debezium.text.ParsingException: DDL statement couldn't be parsed"
    failed: dict[str, Value] = {"oltp-task-state": "FAILED", "oltp-task-failure": "schema", "oltp-task-error": error}
    (finding,) = look(failed).findings
    assert (finding.cause.id, finding.cause.repairs) == ("unread_schema", ())
    assert error in [seen.reading.value for seen in finding.evidence_for]


def test_of_a_failure_of_an_unknown_kind_nobody_says_that_its_reason_is_gone() -> None:
    error = "RecordTooLargeException: The message is 1048588 bytes when serialized"
    failed: dict[str, Value] = {"oltp-task-state": "FAILED", "oltp-task-failure": "other", "oltp-task-error": error}
    (finding,) = look(failed).findings
    assert finding.cause.id == "failed_task"
    assert "is gone shows only then" in finding.cause.says["en"]
    assert error in [seen.reading.value for seen in finding.evidence_for]


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
    mitigations = all_mitigations(OURS)
    seen = 0
    for cause in CAUSES:
        for step in cause.repairs if "source" in cause.subject else ():
            given = parse_arguments(mitigations[step.id], step.arguments, cause.id).model_dump()
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
