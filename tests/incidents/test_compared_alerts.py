"""The desk compares its alerts with what Alertmanager knows: forgotten ones end, those that fire on come back."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.incidents.conftest import START, Make, Receive, look

from lakeproof.errors import CouldNotLook
from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.shapes import Act
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.observability.active import ActiveAlerts


def watching(store: Store, clock: Any, read_active: Callable[[], ActiveAlerts]) -> Watch:
    """A watch over a desk whose Alertmanager answers so."""
    return Watch(
        store,
        look,
        lambda scenario: [],
        read_active=read_active,
        lost_after=timedelta(seconds=30),
        clock=clock.monotonic,
    )


def test_an_alert_that_alertmanager_forgot_ends_after_a_while(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert("a1"), alert("a2"))
    known = {"a1", "a2"}
    watch = watching(store, clock, lambda: ActiveAlerts("http://am", frozenset(known), START - timedelta(days=1)))
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
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    """Alertmanager and machine restart together with a wrong clock, which is put right before Prometheus tells it."""
    receive(alert("a1"))
    active = ActiveAlerts("http://am", frozenset(), clock())
    watch = watching(store, clock, lambda: active)
    watch.compare_alerts()
    clock.set(hours=1)
    clock.forward(seconds=5)
    watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a1"]
    clock.forward(seconds=25)
    watch.compare_alerts()
    assert store.firing() == []


def test_what_was_missing_before_alertmanager_restarted_is_counted_from_its_start(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert("a1"))
    since = [START - timedelta(days=1)]
    watch = watching(store, clock, lambda: ActiveAlerts("http://am", frozenset(), since[0]))
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


def test_no_alert_ends_while_alertmanager_is_silent_fresh_or_another_one(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert("a1"))

    def silent() -> ActiveAlerts:
        raise CouldNotLook("no answer")

    late = START + timedelta(hours=1)
    answers: list[Callable[[], ActiveAlerts]] = [
        silent,
        lambda: ActiveAlerts("http://am", frozenset(), late),
        lambda: ActiveAlerts("http://another", frozenset(), START),
    ]
    for answer in answers:
        watch = watching(store, clock, answer)
        for seconds in (0, 10, 10, 9):
            clock.forward(seconds=seconds)
            watch.compare_alerts()
    assert [one.fingerprint for one in store.firing()] == ["a1"]


@pytest.fixture
def ended(store: Store, alert: Make, receive: Receive) -> Store:
    """INC-000001 of the alert a1, which Alertmanager said had ended at 12:01, before anybody took it on."""
    for status in ("firing", "resolved"):
        receive(alert("a1", status))
    return store


# As Alertmanager's list tells the start: to the millisecond.
FIRST_START = datetime(2026, 11, 24, 11, 59, 58, 123000, tzinfo=UTC)


def with_a1(store: Store, clock: Any, firing: Mapping[str, datetime], source: str = "http://am") -> Watch:
    """A watch over a desk whose Alertmanager has the alert a1, and has these firing and not silenced."""
    active = ActiveAlerts(source, frozenset({"a1"}), START - timedelta(days=1), firing)
    return watching(store, clock, lambda: active)


def test_an_alert_that_fires_on_after_it_was_said_to_have_ended_is_one_further_firing(
    ended: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    """Prometheus stalled, Alertmanager let the alert expire, and Prometheus went on with the same start."""
    watch = with_a1(ended, clock, {"a1": FIRST_START})
    clock.forward(seconds=85)
    watch.compare_alerts()
    assert [one.status for one in ended.newest_first()] == [Status.RESOLVED]
    for _ in range(2):
        clock.forward(seconds=10)
        watch.compare_alerts()
    assert [(one.id, one.status) for one in ended.newest_first()] == [("INC-000001", Status.OPEN)]
    assert "still fires" in ended.get("1").timeline[-1].what
    for late in (alert("a1"), alert("a1", "resolved")):
        assert receive(late).known == 1
    over = alert("a1", "resolved") | {"endsAt": "2026-11-24T12:09:00Z"}
    assert receive(over).incidents == ["INC-000001"]
    assert ended.get("1").status is Status.RESOLVED


def test_an_alert_that_fires_on_does_not_join_another_trouble_that_somebody_forgot_to_close(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    """It is of the same component, and cleared long ago: only its own incident waits for it as long as it hung."""
    receive(alert("b1", scenario="connector-failure"))
    store.move("1", Status.MITIGATING, Act(who="an"))
    receive(alert("b1", "resolved", scenario="connector-failure"))
    clock.forward(minutes=20)
    receive(alert("a1"))
    receive(alert("a1", "resolved"))
    clock.forward(hours=1)
    with_a1(store, clock, {"a1": FIRST_START}).compare_alerts()
    assert [(one.id, one.status) for one in store.newest_first()] == [
        ("INC-000002", Status.OPEN),
        ("INC-000001", Status.VERIFYING),
    ]


def test_an_alert_that_fires_on_leads_the_incident_that_somebody_took_on_back_to_its_repair(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    """It never ceased to fire, so it belongs there however long Prometheus hung."""
    receive(alert("a1"))
    store.move("1", Status.MITIGATING, Act(who="an"))
    receive(alert("a1", "resolved"))
    clock.forward(hours=1)
    with_a1(store, clock, {"a1": FIRST_START}).compare_alerts()
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
    with_a1(ended, clock, firing, source).compare_alerts()
    assert [one.status for one in ended.newest_first()] == [Status.RESOLVED]
