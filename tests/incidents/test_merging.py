from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import ORMExecuteState, Session
from tests.incidents.conftest import Make, Receive

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.incidents.checklist import AnswerState
from lakeproof.incidents.models import Incident
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.self_check import look_at
from lakeproof.incidents.shapes import Act, EvidenceIn, IncidentIn, MergeIn, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store


@pytest.fixture
def two(store: Store, alert: Make, receive: Receive) -> Store:
    """INC-000001 of connect, warning; INC-000002 of trino, critical."""
    lag = alert("a1", severity="warning")
    queue = alert("b1", alertname="TrinoQueue", scenario="trino-backlog", component="trino", severity="critical")
    receive(lag, queue)
    return store


def test_a_merged_incident_gives_its_alerts_and_severity_to_the_whole(two: Store) -> None:
    whole = two.merge("2", MergeIn(into="1", who="an", text="one cause"))
    assert [one.name for one in whole.alerts] == ["CdcReplicationLagHigh", "TrinoQueue"]
    assert (whole.severity, whole.parts) == ("critical", ["INC-000002"])
    assert two.get("2").merged_into == "INC-000001"
    assert two.merge("2", MergeIn(into="1")).timeline == whole.timeline


def test_a_further_alert_of_the_parts_group_joins_the_whole_and_goes_home_when_parted(
    two: Store, alert: Make, receive: Receive
) -> None:
    two.merge("2", MergeIn(into="1"))
    more = alert("b2", alertname="TrinoQueue", scenario="trino-backlog", component="trino")
    assert receive(more).incidents == ["INC-000001"]
    part = two.unmerge("2", Act(who="an"))
    assert [one.fingerprint for one in part.alerts] == ["b1", "b2"]
    assert [one.fingerprint for one in two.get("1").alerts] == ["a1"]
    assert (part.merged_into, two.get("1").parts) == (None, [])


def test_a_part_is_not_escalated_and_nobody_acts_on_it(two: Store, clock: Any) -> None:
    two.merge("2", MergeIn(into="1"))
    with pytest.raises(InvalidInput, match="a part of INC-000001"):
        two.move("2", Status.ACKNOWLEDGED, Act())
    clock.forward(days=1)
    assert [one.id for one in two.escalate_due()] == ["INC-000001"]


def test_the_clock_after_a_merge_is_that_of_the_whole_and_of_what_came_since(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert("a1"))
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    clock.forward(minutes=40)
    opened = clock.now
    store.open(IncidentIn(title="the shop is slow", team="infrastructure"))
    assert store.merge("1", MergeIn(into="2")).acknowledge_by == opened + timedelta(minutes=60)
    assert store.escalate_due() == []
    clock.forward(minutes=5)
    receive(alert("a2"))
    assert store.get("2").acknowledge_by == opened + timedelta(minutes=5 + 15)
    assert store.unmerge("1", Act(who="an")).acknowledge_by == opened - timedelta(minutes=40 - 15)


def test_a_part_ends_with_the_whole(two: Store, alert: Make, receive: Receive) -> None:
    two.merge("2", MergeIn(into="1"))
    two.move("1", Status.RESOLVED, Act(who="an", text="known"))
    assert two.get("2").status is Status.RESOLVED
    with pytest.raises(InvalidInput, match="ended together"):
        two.unmerge("2", Act())
    new = alert("b9", alertname="TrinoQueue", scenario="trino-backlog", component="trino")
    assert receive(new).opened == 1


def test_a_further_alert_of_the_same_trouble_joins_the_incident_that_a_person_opened(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    store.open(IncidentIn(title="the shop is slow"))
    receive(alert("a1"))
    store.merge("2", MergeIn(into="1"))
    down = alert("b1", alertname="ServiceUnavailable", scenario="none", component="connect")
    received = receive(down)
    assert (received.joined, received.incidents) == (1, ["INC-000001"])
    receive(alert("a1", "resolved"))
    over = alert("b1", "resolved", alertname="ServiceUnavailable", scenario="none", component="connect")
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(over)
    clock.forward(hours=1)
    later = alert("c1", alertname="KafkaConnectTaskFailed", scenario="none", component="connect")
    assert receive(later).opened == 1


def test_a_whole_that_closes_by_itself_takes_its_parts_with_it(two: Store, alert: Make, receive: Receive) -> None:
    two.merge("2", MergeIn(into="1"))
    queue = {"alertname": "TrinoQueue", "scenario": "trino-backlog", "component": "trino"}
    cleared = (alert("a1", "resolved", severity="warning"), alert("b1", "resolved", severity="critical", **queue))
    receive(*cleared)
    assert {two.get("1").status, two.get("2").status} == {Status.RESOLVED}


def test_a_whole_whose_last_firing_alerts_go_with_the_part_closes_by_itself(
    two: Store, alert: Make, receive: Receive
) -> None:
    two.merge("2", MergeIn(into="1"))
    receive(alert("a1", "resolved", severity="warning"))
    assert two.get("1").status is Status.OPEN
    two.unmerge("2", Act(who="an"))
    assert (two.get("1").status, two.get("2").status) == (Status.RESOLVED, Status.OPEN)


def test_after_they_are_parted_each_is_as_bad_as_what_is_left_in_it(two: Store, alert: Make, webhook: Make) -> None:
    two.merge("2", MergeIn(into="1"))
    assert two.get("1").severity == "critical"
    two.unmerge("2", Act(who="an"))
    assert (two.get("1").severity, two.get("2").severity) == ("warning", "critical")
    two.open(IncidentIn(title="a person's own word", severity="high"))
    two.merge("1", MergeIn(into="3"))
    two.unmerge("1", Act(who="an"))
    assert two.get("3").severity == "high"


def test_a_whole_that_a_person_opened_is_after_the_parting_what_it_was_before(
    store: Store, alert: Make, receive: Receive
) -> None:
    store.open(IncidentIn(title="the shop is slow"))
    for fingerprint, scenario, component in (("a1", "kafka-backlog", "kafka"), ("b1", "trino-backlog", "trino")):
        firing = alert(fingerprint, alertname=scenario, scenario=scenario, component=component, severity="critical")
        receive(firing)
    store.keep_use_cases("2", ["fraud detection"])
    store.keep_use_cases("3", ["finance reconciliation"])
    for part in ("2", "3"):
        store.merge(part, MergeIn(into="1"))

    def facts(name: str) -> tuple[str, str, list[str]]:
        found = store.get(name)
        return found.severity, found.scenario, found.use_cases

    assert facts("1") == ("critical", "kafka-backlog", ["fraud detection", "finance reconciliation"])
    store.unmerge("2", Act())
    assert facts("1") == ("critical", "trino-backlog", ["finance reconciliation"])
    assert facts("2") == ("critical", "kafka-backlog", ["fraud detection"])
    store.unmerge("3", Act())
    assert facts("1") == ("warning", "none", [])
    # Once more, with an alert of its own that came meanwhile: that one stays.
    store.merge("2", MergeIn(into="1"))
    own = alert("c1", alertname="Other", scenario="connector-failure", component="kafka", severity="high")
    receive(own)
    store.unmerge("2", Act())
    assert facts("1") == ("high", "connector-failure", [])


def test_of_what_an_older_lakeproof_merged_the_alerts_alone_tell_how_bad_it_is(
    two: Store, alert: Make, receive: Receive
) -> None:
    def forget() -> None:
        with Session(two.engine) as session, session.begin():
            session.execute(update(Incident).values(before_merge=None))

    two.merge("2", MergeIn(into="1"))
    forget()
    two.unmerge("2", Act())
    assert two.get("1").severity == "warning"
    # One more part by the program of now: it does not take for the whole's own what the first merge gave it.
    third = alert("c1", alertname="Other", scenario="kafka-backlog", component="kafka", severity="high")
    receive(third)
    two.merge("2", MergeIn(into="1"))
    forget()
    two.merge("3", MergeIn(into="1"))
    two.unmerge("3", Act())
    two.unmerge("2", Act())
    assert two.get("1").severity == "warning"


def test_what_was_attached_to_a_part_is_read_in_the_whole_and_named(client: Any, two: Store, clock: Any) -> None:
    reading = ReadingShape(probe="queue", value=40, at=clock(), source="trino", query="queued")
    body = {"causes": [{"cause": "trino_hung", "for": [{"probe": "queue", "value": 40}]}]}
    two.attach("2", EvidenceIn(title="diagnosis", kind="diagnosis", body=body, readings=[reading]))
    two.merge("2", MergeIn(into="1"))
    two.move("1", Status.MITIGATING, Act(who="an"))
    checked = {"verdict": "passed", "nessie_hash": "ab", "tables": [{"engine": "trino"}]}
    two.attach("2", EvidenceIn(title="check", kind="cross_check", body=checked))
    whole = two.get("1")
    assert [(one.title, one.incident) for one in whole.evidence] == [
        ("diagnosis", "INC-000002"),
        ("check", "INC-000002"),
    ]
    draft = draft_rca(whole, root_cause="trino_hung")
    assert "| queue | 40 |" in draft and "| INC-000002: diagnosis | queue |" in draft
    assert "INC-000002: diagnosis" in client.get("/incidents/1").text
    state, text = look_at(whole, Silent())["cross_check"]
    assert (state, text) == (AnswerState.DONE, "INC-000002: passed: trino at hash ab")
    assert two.get("2").evidence == whole.evidence
    two.unmerge("2", Act())
    assert two.get("1").evidence == []


class Silent:
    """A stack that does not answer."""

    def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[int, datetime] | None]:
        raise CouldNotLook("no answer")

    def unwell(self) -> list[str]:
        raise CouldNotLook("no answer")


@contextmanager
def locked() -> Iterator[list[int]]:
    """The ids of the incidents that are locked, in that order, as a database with locks of rows is asked."""
    found: list[int] = []

    def keep(state: ORMExecuteState) -> None:
        statement: Any = state.statement
        compiled = statement.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        if "FOR UPDATE" in str(compiled) and "FROM incidents" in str(compiled):
            given = [*compiled.params.values(), *cast("dict[str, Any]", state.parameters or {}).values()]
            found.extend(number for one in given for number in (one if isinstance(one, list) else [one]) if number)

    event.listen(Session, "do_orm_execute", keep)
    try:
        yield found
    finally:
        event.remove(Session, "do_orm_execute", keep)


def test_two_that_merge_crosswise_lock_in_the_same_order(two: Store) -> None:
    for part, whole in (("2", "1"), ("1", "2")):
        with locked() as found:
            two.merge(part, MergeIn(into=whole))
        assert found == [1, 2]
        with locked() as found:
            two.unmerge(part, Act())
        assert found == [1, 2]


def test_a_webhook_locks_what_its_alerts_may_land_in_before_it_reads_it(
    two: Store, alert: Make, receive: Receive
) -> None:
    two.merge("2", MergeIn(into="1"))
    two.open(IncidentIn(title="of nobody's group"))
    with locked() as found:
        receive(alert("a2", severity="warning"))
    assert found == [1, 2]


def test_merging_refuses_what_makes_no_sense(two: Store) -> None:
    with pytest.raises(InvalidInput, match="part of itself"):
        two.merge("1", MergeIn(into="1"))
    with pytest.raises(InvalidInput, match=r"no part.*Next: "):
        two.unmerge("1", Act())
    two.open(IncidentIn(title="third"))
    two.merge("2", MergeIn(into="1"))
    with pytest.raises(InvalidInput, match="has parts itself"):
        two.merge("1", MergeIn(into="3"))
    with pytest.raises(InvalidInput, match="a part of INC-000001"):
        two.merge("3", MergeIn(into="2"))
    two.move("3", Status.RESOLVED, Act())
    with pytest.raises(InvalidInput, match="only ongoing"):
        two.merge("3", MergeIn(into="1"))
