import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.incidents.conftest import Make, Receive

from lakeproof.incidents.database import open_database
from lakeproof.incidents.intake import Received
from lakeproof.incidents.shapes import Act, IncidentIn
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification


def test_a_firing_alert_opens_an_incident_with_what_was_violated(store: Store, alert: Make, receive: Receive) -> None:
    received = receive(alert())
    incident = store.get(received.incidents[0])
    assert (incident.id, incident.status, incident.severity) == ("INC-000001", Status.OPEN, "high")
    assert (incident.service, incident.scenario) == ("connect", "replication-lag")
    assert (incident.metric, incident.value) == ("lag_millis", 45000.0)
    assert incident.timeline[0].readings[0].query == "lag_millis > 30000"


def test_the_same_alert_again_changes_nothing(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert())
    before = store.get("1")
    assert receive(alert()).known == 1
    assert store.get("1") == before


def test_alerts_of_one_scenario_join_one_ongoing_incident(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert("a1", severity="warning"), alert("a2", alertname="Other", component="kafka"))
    receive(alert("a3", severity="critical"))
    assert [len(store.get(one.id).alerts) for one in store.newest_first()] == [3]
    assert store.get("1").severity == "critical"


def test_a_worse_alert_that_joins_what_somebody_took_on_is_in_its_timeline(
    store: Store, alert: Make, receive: Receive
) -> None:
    down = {"alertname": "ServiceUnavailable", "scenario": "none", "component": "nessie"}
    receive(alert("a1", severity="warning", **down))
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    failing = alert("a3", alertname="LakeCommitFailing", scenario="lake-commit-failure", component="publisher")
    assert receive(stale, failing).joined == 2
    incident = store.get("1")
    assert (incident.severity, incident.status, incident.owner) == ("high", Status.ACKNOWLEDGED, "an")
    assert [entry.what for entry in incident.timeline[-2:]] == [
        "LakePublishStale firing; severity was warning, is high",
        "LakeCommitFailing firing",
    ]


def test_an_incident_is_to_be_acknowledged_as_soon_as_the_first_of_its_alerts_teams_promised(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    down = {"alertname": "ServiceUnavailable", "scenario": "none", "component": "nessie", "team": "infrastructure"}
    opened = clock.now
    receive(alert("a1", **down))
    assert store.get("1").acknowledge_by == opened + timedelta(minutes=60)
    clock.forward(minutes=5)
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    receive(stale)
    (row,) = store.newest_first()
    assert row.acknowledge_by == opened + timedelta(minutes=20)
    clock.forward(minutes=14, seconds=59)
    assert store.escalate_due() == []
    clock.forward(seconds=1)
    (escalated,) = store.escalate_due()
    assert escalated.timeline[-1].what == "escalated: data-platform had not acknowledged it within 15 minutes"


def test_alerts_of_no_scenario_are_joined_by_their_name_and_component(
    store: Store, alert: Make, receive: Receive
) -> None:
    down = {"alertname": "ServiceUnavailable", "scenario": "none"}
    receive(alert("a1", **down, component="x"), alert("a2", **down, component="y"))
    assert receive(alert("a3", **down, component="x", instance="2")).joined == 1
    assert len(store.newest_first()) == 2


def test_alerts_of_one_trouble_make_one_incident_whichever_comes_first(
    store: Store, alert: Make, receive: Receive
) -> None:
    nessie = alert("a1", alertname="ServiceUnavailable", scenario="none", component="nessie")
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    redis = alert("a3", alertname="ServiceUnavailable", scenario="none", component="redis")
    receive(nessie)
    assert receive(stale).joined == 1
    assert (store.get("1").scenario, len(store.get("1").alerts)) == ("lake-commit-failure", 2)
    # What neither stands on has an incident of its own.
    assert receive(redis).opened == 1
    receive(alert("a4", alertname="LimiterErrors", scenario="x", component="notification-service"))
    assert sorted(len(store.get(one.id).alerts) for one in store.newest_first()) == [2, 2]


def test_an_alert_says_on_what_else_its_metric_stands(alert: Make, receive: Receive) -> None:
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    stale["annotations"]["stands_on"] = "mysql connect"
    receive(alert("a1"))  # of change capture, component connect
    assert receive(stale).joined == 1


def test_what_cleared_long_ago_draws_no_further_alert(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    nessie = {"alertname": "ServiceUnavailable", "scenario": "none", "component": "nessie"}
    receive(alert("a1", **nessie))
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(alert("a1", "resolved", **nessie))
    clock.forward(hours=1)
    stale = alert("a2", alertname="LakePublishStale", scenario="lake-commit-failure", component="publisher")
    assert receive(stale).opened == 1


def test_an_incident_that_nobody_took_on_closes_when_its_alerts_clear(
    store: Store, alert: Make, receive: Receive
) -> None:
    receive(alert("a1"), alert("a2"))
    receive(alert("a1", "resolved"))
    assert store.get("1").status is Status.OPEN
    receive(alert("a2", "resolved"))
    assert store.get("1").status is Status.RESOLVED
    assert "before anybody took it on" in store.get("1").timeline[-1].what


def test_an_incident_that_somebody_took_on_is_closed_by_them(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert())
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(alert(status="resolved"))
    assert store.get("1").status is Status.ACKNOWLEDGED
    assert store.get("1").alerts[0].ends_at is not None


def test_an_alert_that_comes_back_soon_joins_what_somebody_took_on(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert())
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(alert(status="resolved"))
    clock.forward(minutes=5)
    assert receive(alert() | {"startsAt": "2026-11-24T12:05:00Z"}).joined == 1


def test_an_incident_that_somebody_forgot_to_close_does_not_swallow_the_next_one(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert())
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(alert(status="resolved"))
    clock.forward(hours=1)
    received = receive(alert() | {"startsAt": "2026-11-24T13:00:00Z"})
    assert (received.opened, received.incidents) == (1, ["INC-000002"])
    assert "another incident" in store.get("1").timeline[-1].what


def test_what_fires_anew_beside_a_forgotten_incident_joins_the_one_that_the_same_trouble_made(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    """Seen in a drill: a node went down again, and two alerts about it made two incidents within 0.2 s."""
    node_down: dict[str, Any] = alert("a1", alertname="NodeDown", scenario="node-down", component="seed")
    node_down["annotations"]["stands_on"] = "node2"
    receive(node_down)
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    receive(node_down | {"status": "resolved"})
    clock.forward(hours=1)
    silent = alert("a2", alertname="ServiceUnavailable", scenario="none", component="node2")
    assert receive(silent).incidents == ["INC-000002"]
    again = receive(node_down | {"startsAt": "2026-11-24T13:00:00Z"})
    assert (again.joined, again.incidents) == (1, ["INC-000002"])
    assert store.get("2").scenario == "node-down"


def test_an_alert_that_fires_and_clears_within_one_notification_is_kept_once(
    store: Store, alert: Make, receive: Receive
) -> None:
    received = receive(alert(), alert(status="resolved"), alert())
    assert (received.opened, received.resolved, received.known) == (1, 1, 1)
    assert store.get("1").status is Status.RESOLVED


def test_a_late_firing_after_its_own_end_does_not_open_it_again(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert())
    receive(alert(status="resolved"))
    assert receive(alert()).known == 1
    assert [one.status for one in store.newest_first()] == [Status.RESOLVED]


def test_a_new_firing_long_after_the_end_is_a_new_incident(
    store: Store, clock: Any, alert: Make, receive: Receive
) -> None:
    receive(alert())
    receive(alert(status="resolved"))
    clock.forward(minutes=30)
    receive(alert() | {"startsAt": "2026-11-24T12:30:00Z"})
    assert [one.id for one in store.newest_first()] == ["INC-000002", "INC-000001"]


def test_an_end_that_nobody_heard_the_beginning_of_opens_nothing(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert(status="resolved"))
    assert store.newest_first() == []


def test_alerts_join_the_incident_that_a_person_opened_for_their_scenario(
    store: Store, alert: Make, receive: Receive
) -> None:
    store.open(IncidentIn(title="prices are old", scenario="replication-lag"))
    assert receive(alert()).joined == 1


def test_two_webhooks_that_race_make_one_incident(tmp_path: Path, alert: Make, webhook: Make) -> None:
    # Two stores on two connections, as two desks over a restart would be.
    url = f"sqlite:///{tmp_path / 'race.sqlite'}"
    engines = [open_database(url) for _ in range(2)]
    gate = threading.Barrier(4)
    data = Notification.model_validate(webhook(*(alert(f"a{number}") for number in range(20))))
    results: list[Received] = []

    def post(store: Store) -> None:
        gate.wait()
        results.append(store.receive(data))

    threads = [threading.Thread(target=post, args=(Store(engines[number % 2]),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store(engines[0])
    assert [len(store.get(one.id).alerts) for one in store.newest_first()] == [20]
    assert sum(result.opened for result in results) == 1
    for engine in engines:
        engine.dispose()


def test_a_thousand_alerts_are_taken_in_at_once(alert: Make, receive: Receive) -> None:
    alerts = [alert(f"{number:x}", scenario="none", component=f"c{number}") for number in range(1000)]
    assert receive(*alerts).opened == 1000
