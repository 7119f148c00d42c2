"""What the desk looks up by itself of a new incident: the state of the stack, and the use cases concerned."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.incidents.conftest import Make, Receive, look

from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.shapes import IncidentIn, MergeIn, ReadingShape
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification


def test_a_moment_that_a_restart_cut_off_is_looked_up_by_the_next_desk(store: Store) -> None:
    store.open(IncidentIn(title="x", scenario="replication-lag"))
    assert store.without_moment() == ["INC-000001"]
    Watch(store, look, lambda scenario: [f"what {scenario} concerns"]).make_round()
    assert store.without_moment() == []
    assert store.get("1").use_cases == ["what replication-lag concerns"]


def test_an_incident_that_came_to_be_of_a_scenario_concerns_its_use_cases(
    store: Store, alert: Make, receive: Receive
) -> None:
    concerned = {"lake-commit-failure": ["finance reconciliation"]}
    watch = Watch(store, look, lambda scenario: concerned.get(scenario, []))
    down = alert("a1", alertname="ServiceUnavailable", scenario="none", component="nessie")
    receive(down)
    watch.make_round()
    assert store.get("1").use_cases == []
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    receive(stale)
    watch.make_round()
    assert store.get("1").use_cases == ["finance reconciliation"]
    assert store.without_use_cases() == []


def test_an_incident_that_a_person_opened_concerns_the_use_cases_of_what_was_merged_into_it(
    store: Store, alert: Make, receive: Receive
) -> None:
    watch = Watch(store, look, lambda scenario: [f"what {scenario} concerns"] if scenario != "none" else [])
    store.open(IncidentIn(title="the shop is slow"))
    watch.make_round()
    receive(alert("a1"))
    store.merge("2", MergeIn(into="1"))
    watch.make_round()
    assert store.get("1").use_cases == ["what replication-lag concerns"]


def test_the_moment_is_looked_up_for_all_alerts_that_opened_the_incident(
    store: Store, alert: Any, webhook: Any
) -> None:
    asked: list[list[str]] = []

    def note(expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> Mapping[str, ReadingShape]:
        asked.append([labels["connector"] for labels in alerts])
        return {}

    both = webhook(alert("a1", connector="orders"), alert("a2", connector="shop"))
    store.receive(Notification.model_validate(both))
    Watch(store, note, lambda scenario: []).make_round()
    assert asked == [["orders", "shop"]]


def test_an_incident_that_cannot_be_looked_up_holds_up_nothing_and_says_why(store: Store, clock: Any) -> None:
    def broken(expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> Mapping[str, ReadingShape]:
        raise KeyError("status")

    store.open(IncidentIn(title="x", team="kafka"))
    clock.forward(minutes=30)
    Watch(store, broken, lambda scenario: []).make_round()
    incident = store.get("1")
    assert incident.escalated_at is not None
    assert incident.moment is not None
    assert incident.moment["violation"].error == "KeyError: 'status'"
