import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lakeproof.errors import CouldNotLook
from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.models import Incident
from lakeproof.incidents.shapes import Act, IncidentIn, IncidentOut, MergeIn, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification
from lakeproof.observability.active import ActiveAlerts
from lakeproof.observability.teams import all_teams

OVERDUE = "lakeproof_incident_overdue_seconds"
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def look(expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> Mapping[str, ReadingShape]:
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


def test_an_alert_that_alertmanager_forgot_ends_after_a_while(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    store.receive(Notification.model_validate(webhook(alert("a1"), alert("a2"))))
    known = {"a1", "a2"}
    watch = Watch(
        store,
        look,
        lambda scenario: [],
        read_active=lambda: ActiveAlerts("http://am", frozenset(known), START - timedelta(days=1)),
        lost_after=timedelta(seconds=30),
        clock=clock.monotonic,
    )
    watch.compare_alerts()
    known.remove("a1")
    for seconds in (10, 29):
        clock.forward(seconds=seconds)
        watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a1", "a2"]
    clock.forward(seconds=6)
    watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a2"]
    known.clear()
    for seconds in (15, 40):
        clock.forward(seconds=seconds)
        watch.compare_alerts()
    assert store.get("1").status is Status.RESOLVED


def test_a_clock_that_jumps_ahead_between_two_looks_ends_no_alert(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    """Alertmanager and machine restart together with a wrong clock, which is put right before Prometheus tells it."""
    store.receive(Notification.model_validate(webhook(alert("a1"))))
    active = ActiveAlerts("http://am", frozenset(), clock())
    watch = Watch(
        store,
        look,
        lambda scenario: [],
        read_active=lambda: active,
        lost_after=timedelta(seconds=30),
        clock=clock.monotonic,
    )
    watch.compare_alerts()
    clock.set(hours=1)
    clock.forward(seconds=5)
    watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a1"]
    clock.forward(seconds=25)
    watch.compare_alerts()
    assert store.firing() == []


def test_what_was_missing_before_alertmanager_restarted_is_counted_from_its_start(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    store.receive(Notification.model_validate(webhook(alert("a1"))))
    since = [START - timedelta(days=1)]
    watch = Watch(
        store,
        look,
        lambda scenario: [],
        read_active=lambda: ActiveAlerts("http://am", frozenset(), since[0]),
        lost_after=timedelta(seconds=30),
        clock=clock.monotonic,
    )
    watch.compare_alerts()
    clock.forward(seconds=25)
    since[0] = clock()
    for _ in range(5):
        watch.compare_alerts()
        clock.forward(seconds=5)
    assert [one.fingerprint for one in store.firing()] == ["a1"]
    clock.forward(seconds=5)
    watch.compare_alerts()
    assert store.firing() == []


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


def test_no_alert_ends_while_alertmanager_is_silent_fresh_or_another_one(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    store.receive(Notification.model_validate(webhook(alert("a1"))))

    def silent() -> ActiveAlerts:
        raise CouldNotLook("no answer")

    late = START + timedelta(hours=1)
    answers: list[Callable[[], ActiveAlerts]] = [
        silent,
        lambda: ActiveAlerts("http://am", frozenset(), late),
        lambda: ActiveAlerts("http://another", frozenset(), START),
    ]
    for answer in answers:
        watch = Watch(
            store,
            look,
            lambda scenario: [],
            read_active=answer,
            lost_after=timedelta(seconds=30),
            clock=clock.monotonic,
        )
        for seconds in (0, 10, 10, 9):
            clock.forward(seconds=seconds)
            watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a1"]


@pytest.fixture
def ended(store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]) -> Store:
    """INC-000001 of the alert a1, which Alertmanager said had ended at 12:01, before anybody took it on."""
    for status in ("firing", "resolved"):
        store.receive(Notification.model_validate(webhook(alert("a1", status))))
    return store


# As Alertmanager's list tells the start: to the millisecond.
FIRST_START = datetime(2026, 11, 24, 11, 59, 58, 123000, tzinfo=UTC)


def watching(store: Store, clock: Any, firing: Mapping[str, datetime], source: str = "http://am") -> Watch:
    """A watch over a desk whose Alertmanager has the alert a1, and has these firing and not silenced."""
    active = ActiveAlerts(source, frozenset({"a1"}), START - timedelta(days=1), firing)
    return Watch(
        store,
        look,
        lambda scenario: [],
        read_active=lambda: active,
        lost_after=timedelta(seconds=30),
        clock=clock.monotonic,
    )


def test_an_alert_that_fires_on_after_it_was_said_to_have_ended_is_one_further_firing(
    ended: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    """Prometheus stalled, Alertmanager let the alert expire, and Prometheus went on with the same start."""
    watch = watching(ended, clock, {"a1": FIRST_START})
    clock.forward(seconds=85)
    watch.compare_alerts()
    assert [one.status for one in ended.newest_first()] == [Status.RESOLVED]
    for _ in range(2):
        clock.forward(seconds=10)
        watch.compare_alerts()
    assert [(one.id, one.status) for one in ended.newest_first()] == [
        ("INC-000002", Status.OPEN),
        ("INC-000001", Status.RESOLVED),
    ]
    assert "still fires" in ended.get("2").timeline[-1].what
    for late in (alert("a1"), alert("a1", "resolved")):
        assert ended.receive(Notification.model_validate(webhook(late))).known == 1
    over = alert("a1", "resolved") | {"endsAt": "2026-11-24T12:09:00Z"}
    assert ended.receive(Notification.model_validate(webhook(over))).incidents == ["INC-000002"]
    assert ended.get("2").status is Status.RESOLVED


def test_an_alert_that_fires_on_does_not_join_another_trouble_that_somebody_forgot_to_close(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    """It is of the same component, and cleared long ago: only its own incident waits for it as long as it hung."""
    store.receive(Notification.model_validate(webhook(alert("a1"))))
    store.receive(Notification.model_validate(webhook(alert("a1", "resolved"))))
    store.receive(Notification.model_validate(webhook(alert("b1", scenario="connector-failure"))))
    store.move("2", Status.MITIGATING, Act(who="an"))
    store.receive(Notification.model_validate(webhook(alert("b1", "resolved", scenario="connector-failure"))))
    clock.forward(hours=1)
    watching(store, clock, {"a1": FIRST_START}).compare_alerts()
    assert [(one.id, one.status) for one in store.newest_first()] == [
        ("INC-000003", Status.OPEN),
        ("INC-000002", Status.VERIFYING),
        ("INC-000001", Status.RESOLVED),
    ]


def test_an_alert_that_fires_on_leads_the_incident_that_somebody_took_on_back_to_its_repair(
    store: Store, clock: Any, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    """It never ceased to fire, so it belongs there however long Prometheus hung."""
    store.receive(Notification.model_validate(webhook(alert("a1"))))
    store.move("1", Status.MITIGATING, Act(who="an"))
    store.receive(Notification.model_validate(webhook(alert("a1", "resolved"))))
    clock.forward(hours=1)
    watching(store, clock, {"a1": FIRST_START}).compare_alerts()
    assert [(one.id, one.status) for one in store.newest_first()] == [("INC-000001", Status.MITIGATING)]


@pytest.mark.parametrize(
    ("firing", "source"),
    [
        ({}, "http://am"),
        ({"a1": START + timedelta(minutes=5)}, "http://am"),
        ({"a1": FIRST_START}, "http://another"),
        ({"b1": FIRST_START}, "http://am"),
    ],
    ids=["silenced", "a new firing, which a webhook tells", "another Alertmanager", "unknown here"],
)
def test_nothing_else_is_taken_for_an_alert_that_fires_on(
    ended: Store, clock: Any, firing: Mapping[str, datetime], source: str
) -> None:
    clock.forward(hours=1)
    watching(ended, clock, firing, source).compare_alerts()
    assert [one.status for one in ended.newest_first()] == [Status.RESOLVED]


def test_a_moment_that_a_restart_cut_off_is_looked_up_by_the_next_desk(store: Store) -> None:
    store.open(IncidentIn(title="x", scenario="replication-lag"))
    assert store.without_moment() == ["INC-000001"]
    Watch(store, look, lambda scenario: [f"what {scenario} concerns"]).make_round()
    assert store.without_moment() == []
    assert store.get("1").use_cases == ["what replication-lag concerns"]


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


def test_an_incident_that_came_to_be_of_a_scenario_concerns_its_use_cases(
    store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    concerned = {"lake-commit-failure": ["finance reconciliation"]}
    watch = Watch(store, look, lambda scenario: concerned.get(scenario, []))
    down = alert("a1", alertname="ServiceUnavailable", scenario="none", component="nessie")
    store.receive(Notification.model_validate(webhook(down)))
    watch.make_round()
    assert store.get("1").use_cases == []
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    store.receive(Notification.model_validate(webhook(stale)))
    watch.make_round()
    assert store.get("1").use_cases == ["finance reconciliation"]
    assert store.without_use_cases() == []


def test_an_incident_that_a_person_opened_concerns_the_use_cases_of_what_was_merged_into_it(
    store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    watch = Watch(store, look, lambda scenario: [f"what {scenario} concerns"] if scenario != "none" else [])
    store.open(IncidentIn(title="the shop is slow"))
    watch.make_round()
    store.receive(Notification.model_validate(webhook(alert("a1"))))
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
    alert: Callable[..., dict[str, Any]],
    webhook: Callable[..., dict[str, Any]],
) -> None:
    down = alert("a1", alertname="ServiceUnavailable", scenario="none", team="infrastructure")
    store.receive(Notification.model_validate(webhook(down, alert("a2"))))
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
