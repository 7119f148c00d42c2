from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.shapes import Act, IncidentIn, IncidentOut, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.observability.teams import all_teams


def look(expression: str, labels: Mapping[str, str], at: datetime) -> Mapping[str, ReadingShape]:
    return {"published": ReadingShape(value="ab12", at=at, source="nessie", query="main")}


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


def test_a_moment_that_a_restart_cut_off_is_looked_up_by_the_next_desk(store: Store) -> None:
    store.open(IncidentIn(title="x", scenario="replication-lag"))
    assert store.without_moment() == ["INC-000001"]
    Watch(store, look, lambda scenario: [f"what {scenario} concerns"]).make_round()
    assert store.without_moment() == []
    assert store.get("1").use_cases == ["what replication-lag concerns"]
