"""What closed by itself a moment ago, with nobody to own it, is opened again by what fires of the same trouble."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from tests.incidents.conftest import Make
from tests.incidents.ticket_case import Case

from lakeproof.incidents.checklist import BY_ID, AnswerState
from lakeproof.incidents.shapes import Act, AnswerIn, IncidentIn, Lesson, MergeIn, Owner
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification

STARVED = {"alertname": "ServiceUnavailable", "scenario": "none", "component": "flink-taskmanager"}
BACKLOG = {"alertname": "KafkaConsumerLagHigh", "scenario": "kafka-backlog", "component": "flink-taskmanager"}


@pytest.fixture
def tell(store: Store, clock: Any, alert: Make, webhook: Make) -> Callable[..., list[str]]:
    """Tells the store of one alert; gives the incidents that it changed."""

    def receive(fingerprint: str, status: str = "firing", at: datetime | None = None, **labels: str) -> list[str]:
        given = alert(fingerprint, status, **labels)
        given |= {"startsAt": at.isoformat()} if at else {}
        given |= {"endsAt": clock.now.isoformat()} if status == "resolved" else {}
        return store.receive(Notification.model_validate(webhook(given))).incidents

    return receive


@pytest.fixture
def closed(store: Store, clock: Any, tell: Callable[..., list[str]]) -> Store:
    """INC-000001 of a TaskManager that gave no answer for a while; two seconds ago it closed by itself."""
    tell("a1", **STARVED)
    clock.forward(seconds=60)
    tell("a1", "resolved", **STARVED)
    assert store.get("1").status is Status.RESOLVED
    clock.forward(seconds=2)
    return store


def test_what_the_same_trouble_sets_off_two_seconds_later_opens_it_again(
    closed: Store, tell: Callable[..., list[str]]
) -> None:
    """Seen in a drill: a starved TaskManager answered again just before the backlog was told."""
    assert tell("b1", **BACKLOG) == ["INC-000001"]
    incident = closed.get("1")
    assert (incident.status, incident.resolved_at, incident.scenario) == (Status.OPEN, None, "kafka-backlog")
    assert [(entry.who, entry.what) for entry in incident.timeline[-2:]] == [
        ("desk", "open again: KafkaConsumerLagHigh fires 2 s after the last alert of it had cleared"),
        ("alertmanager", "KafkaConsumerLagHigh firing"),
    ]
    assert [one.id for one in closed.newest_first()] == ["INC-000001"]


def test_the_same_alert_that_fires_again_opens_it_again_and_what_follows_joins_it(
    closed: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    assert tell("a1", at=clock.now, **STARVED) == ["INC-000001"]
    assert tell("a2", **STARVED) == ["INC-000001"]
    assert tell("b1", **BACKLOG) == ["INC-000001"]
    lines = [entry.what.partition(":")[0] for entry in closed.get("1").timeline if entry.kind == "status"]
    assert lines == ["resolved", "open again"]


def test_an_alert_of_its_scenario_opens_it_again_whatever_component_it_is_about(
    store: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    tell("a1")
    tell("a1", "resolved")
    assert tell("a2", alertname="Other", component="redis") == ["INC-000001"]
    tell("a2", "resolved", alertname="Other", component="redis")
    assert store.get("1").status is Status.RESOLVED
    assert tell("a3", scenario="trino-backlog", component="trino") == ["INC-000002"]


def test_the_time_to_acknowledge_goes_on_from_the_first_opening_and_is_told_once(
    closed: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    promised = closed.get("1").acknowledge_by
    tell("b1", **BACKLOG)
    assert closed.get("1").acknowledge_by == promised
    clock.now = promised
    assert [one.id for one in closed.escalate_due()] == ["INC-000001"]
    tell("b1", "resolved", **BACKLOG)
    assert closed.overdue() == []
    tell("b1", at=clock.now, **BACKLOG)
    assert (closed.escalate_due(), [one.id for one in closed.overdue()]) == ([], ["INC-000001"])
    assert closed.move("1", Status.ACKNOWLEDGED, Act(who="an")).owner == "an"


@pytest.mark.parametrize("act", ["resolved by a person", "owned", "reviewed", "too late"])
def test_what_a_person_ended_or_what_ended_long_ago_stays_closed(
    store: Store, clock: Any, tell: Callable[..., list[str]], act: str
) -> None:
    tell("a1", **STARVED)
    if act == "resolved by a person":
        store.move("1", Status.RESOLVED, Act(who="", text="known"))
    tell("a1", "resolved", **STARVED)
    if act == "owned":
        store.give("1", Owner(owner="an"))
    if act == "reviewed":
        store.learn("1", Lesson(text="a longer wait", who=""))
        for item in BY_ID:
            store.answer("1", AnswerIn(item=item, who=""))
        store.move("1", Status.REVIEWED, Act(who=""))
    clock.forward(minutes=10, seconds=act == "too late")
    assert tell("b1", **BACKLOG) == ["INC-000002"]
    assert store.get("1").status in (Status.RESOLVED, Status.REVIEWED)


def test_it_is_opened_again_ten_minutes_after_its_last_alert_cleared_at_most(
    closed: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    clock.forward(minutes=9, seconds=58)
    assert tell("b1", **BACKLOG) == ["INC-000001"]


def test_an_ongoing_incident_comes_before_one_that_closed(
    closed: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    opened = closed.open(IncidentIn(title="the lake is old", scenario="kafka-backlog"))
    assert tell("b1", **BACKLOG) == [opened.id]
    assert closed.get("1").status is Status.RESOLVED
    assert tell("a2", at=clock.now, **STARVED) == [opened.id]


def test_an_end_opens_nothing_again(closed: Store, tell: Callable[..., list[str]]) -> None:
    tell("b1", "resolved", **BACKLOG)
    assert closed.get("1").status is Status.RESOLVED


def test_its_parts_are_open_again_with_it_and_can_be_parted(
    store: Store, clock: Any, tell: Callable[..., list[str]]
) -> None:
    queue = {"alertname": "TrinoQueue", "scenario": "trino-backlog", "component": "trino"}
    tell("a1")
    tell("c1", **queue)
    store.move("2", Status.ACKNOWLEDGED, Act(who="an"))
    store.merge("2", MergeIn(into="1"))
    tell("a1", "resolved")
    tell("c1", "resolved", **queue)
    assert {store.get(name).status for name in "12"} == {Status.RESOLVED}
    assert tell("c2", **queue) == ["INC-000001"]
    assert (store.get("1").status, store.get("2").status) == (Status.OPEN, Status.ACKNOWLEDGED)
    part = store.unmerge("2", Act(who="an"))
    assert ([one.fingerprint for one in part.alerts], part.status) == (["c1", "c2"], Status.ACKNOWLEDGED)
    assert store.get("1").status is Status.RESOLVED


def test_a_group_that_a_person_took_meanwhile_stays_theirs(store: Store, tell: Callable[..., list[str]]) -> None:
    tell("a1")
    tell("a1", "resolved")
    store.open(IncidentIn(title="prices are old", scenario="replication-lag"))
    hung = {"alertname": "ServiceUnavailable", "scenario": "none", "component": "connect"}
    assert tell("b1", **hung) == ["INC-000001"]
    assert tell("a2") == ["INC-000002"]


def test_its_checklist_is_open_again_and_says_why(closed: Store, tell: Callable[..., list[str]]) -> None:
    closed.keep_looks("1", {"alerts_cleared": (AnswerState.DONE, "1 cleared")})
    tell("b1", **BACKLOG)
    (line,) = [one for one in closed.get("1").checklist if one.item == "alerts_cleared"]
    assert (line.state, line.text) == (AnswerState.OPEN, "its alerts fire again")


def test_its_page_offers_to_take_it_on_again(client: Any, closed: Store, tell: Callable[..., list[str]]) -> None:
    tell("b1", **BACKLOG)
    assert client.get("/api/incidents/1").json()["status"] == "open"
    page = client.get("/incidents/INC-000001").text
    assert "open again: KafkaConsumerLagHigh fires" in page
    assert "INC-000001" in client.get("/oncall").text


def test_its_ticket_is_open_again(case: Case, alert: Make, webhook: Make) -> None:
    def tell(given: dict[str, Any]) -> None:
        case.store.receive(Notification.model_validate(webhook(given)))
        case.settle()

    tell(alert())
    tell(alert(status="resolved"))
    assert case.state() == "done"
    tell(alert() | {"startsAt": "2026-11-24T12:02:00Z"})
    assert case.state() == "open"
