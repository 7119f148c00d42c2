"""What the desk does by itself while nobody acknowledges an incident, and the rounds in which it does that."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from tests.incidents.conftest import Make, Receive, look

from lakeproof.errors import CouldNotLook
from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.models import Incident
from lakeproof.incidents.shapes import Act, IncidentIn, IncidentOut, MergeIn
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.observability.active import ActiveAlerts
from lakeproof.observability.teams import all_teams

OVERDUE = "lakeproof_incident_overdue_seconds"


@pytest.mark.parametrize("team", all_teams().values(), ids=lambda team: team.name)
def test_an_unacknowledged_incident_escalates_once_past_its_teams_time(store: Store, clock: Any, team: Any) -> None:
    told: list[IncidentOut] = []
    watch = Watch(store, look, lambda scenario: [], told.append)
    store.open(IncidentIn(title="x", team=team.name))
    clock.forward(seconds=team.acknowledge_minutes * 60 - 1)
    watch.make_round()
    assert told == []
    clock.forward(seconds=1)
    watch.make_round()
    watch.make_round()
    assert [incident.id for incident in told] == ["INC-000001"]
    assert store.get("1").timeline[-1].what.endswith(f"{team.acknowledge_minutes} minutes")


def test_an_acknowledged_incident_does_not_escalate(store: Store, clock: Any) -> None:
    store.open(IncidentIn(title="x"))
    store.move("1", Status.ACKNOWLEDGED, Act())
    clock.forward(days=2)
    assert store.escalate_due() == []


def test_an_unknown_team_has_the_time_of_the_default_one(store: Store) -> None:
    incident = store.open(IncidentIn(title="x", team="strangers"))
    assert incident.acknowledge_by - incident.opened_at == timedelta(minutes=15)


def test_a_clock_set_back_by_an_hour_stops_none_of_the_desks_own_rounds(store: Store, clock: Any) -> None:
    made: list[str] = []

    class Stack:
        def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[int, datetime] | None]:
            made.append("checklists")
            raise CouldNotLook("no answer")

        def unwell(self) -> list[str]:
            raise CouldNotLook("no answer")

    def read_active() -> ActiveAlerts:
        made.append("alerts")
        raise CouldNotLook("no answer")

    store.open(IncidentIn(title="x"))
    store.move("1", Status.MITIGATING, Act())
    store.move("1", Status.VERIFYING, Act())
    watch = Watch(
        store,
        look,
        lambda scenario: [],
        read_active=read_active,
        give_back_windows=lambda: made.append("windows"),
        stack_look=Stack(),
        clock=clock.monotonic,
    )
    watch.make_round()
    watch.make_round()
    assert sorted(made) == ["alerts", "checklists", "windows"]
    clock.set(hours=-1)
    clock.forward(seconds=10)
    watch.make_round()
    assert sorted(made) == ["alerts", "alerts", "checklists", "checklists", "windows", "windows"]


def test_the_windows_of_a_killed_drill_are_looked_for_every_few_seconds_and_again_after_a_failure(
    store: Store, clock: Any
) -> None:
    asked: list[str] = []

    def give_back() -> None:
        asked.append("asked")
        if len(asked) == 1:
            raise CouldNotLook("no answer", where="prometheus")

    watch = Watch(store, look, lambda scenario: [], give_back_windows=give_back, clock=clock.monotonic)
    with pytest.raises(CouldNotLook):
        watch.give_back_windows()
    for seconds in (1, 3, 2, 1):
        clock.forward(seconds=seconds)
        watch.give_back_windows()
    assert len(asked) == 2


def overdue_in(client: Any) -> dict[str, float]:
    """Incident → seconds, as Prometheus reads them."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(OVERDUE + "{")]
    return {line.partition('incident="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_an_escalated_incident_is_a_metric_until_somebody_takes_it_on(client: Any, store: Store, clock: Any) -> None:
    store.open(IncidentIn(title="x", team="kafka"))
    assert overdue_in(client) == {}
    clock.forward(minutes=30)
    store.escalate_due()
    assert list(overdue_in(client)) == ["INC-000001"]
    assert 'team="kafka",title="x"' in client.get("/metrics").text
    store.move("1", Status.ACKNOWLEDGED, Act())
    assert overdue_in(client) == {}


def test_the_team_whose_time_is_over_is_told_where_it_is_not_the_incidents_own(
    client: Any,
    store: Store,
    clock: Any,
    alert: Make,
    receive: Receive,
) -> None:
    down = alert("a1", alertname="ServiceUnavailable", scenario="none", team="infrastructure")
    receive(down, alert("a2"))
    clock.forward(minutes=17)
    (told,) = store.escalate_due()
    assert (told.team, told.acknowledge_team) == ("infrastructure", "data-platform")
    assert "escalated: data-platform" in told.timeline[-1].what
    assert 'incident="INC-000001",team="data-platform"' in client.get("/metrics").text
    for path in ("/oncall", "/incidents/1"):
        assert "(data-platform)" in client.get(path).text
    waiting = client.get("/oncall").text.partition("Who is asked for what")[2]
    counts = re.findall(r"<td>\d+ minutes</td><td>(\d+)</td>", waiting)
    assert dict(zip(all_teams(), counts, strict=True))["data-platform"] == "1"


def test_an_escalated_incident_that_became_a_part_goes_with_its_whole(client: Any, store: Store, clock: Any) -> None:
    for title in ("whole", "part"):
        store.open(IncidentIn(title=title, team="kafka"))
    clock.forward(minutes=30)
    store.escalate_due()
    store.merge("2", MergeIn(into="1"))
    assert list(overdue_in(client)) == ["INC-000001"]


def test_the_oldest_overdue_incidents_stay_in_the_metric_however_many_are_opened(
    client: Any, store: Store, clock: Any, engine: Engine
) -> None:
    store.open(IncidentIn(title="oldest", team="kafka"))
    clock.forward(minutes=30)
    store.escalate_due()
    with Session(engine) as session, session.begin():
        facts = {"status": "open", "severity": "high", "team": "kafka", "scenario": "none", "service": ""}
        session.add_all(Incident(title="new", opened_at=clock(), moment={}, **facts) for _ in range(600))
    assert list(overdue_in(client)) == ["INC-000001"]
    assert "INC-000001" in client.get("/oncall").text


def test_a_part_counts_as_its_whole(client: Any, store: Store) -> None:
    for title in ("whole", "part"):
        store.open(IncidentIn(title=title))
    store.merge("2", MergeIn(into="1"))
    assert store.count_by_status()["open"] == 1
    assert [one.id for one in store.ongoing()] == ["INC-000001"]
    store.move("1", Status.RESOLVED, Act())
    for number in range(2):
        store.open(IncidentIn(title=f"new {number}"))
        store.move(str(number + 3), Status.RESOLVED, Act())
    assert store.ongoing(most=1) == []
