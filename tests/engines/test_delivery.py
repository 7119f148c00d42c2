"""Every alert on its way to people: real Prometheus, Alertmanager and desk; receivers that speak the real protocols.

Prometheus evaluates each alert of every scenario with its own labels and words, but by an expression that is true for
a set time. Figures are printed.
"""

import copy
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy.orm import Session
from tests.conftest import RealStack
from tests.engines.people import Message, People
from tests.observability.test_routing import by_contract

from lakeproof.deadline import Deadline
from lakeproof.drills.live_world import LiveDesk
from lakeproof.incidents.client import DeskClient, until_kept
from lakeproof.incidents.database import database_url, open_database
from lakeproof.incidents.models import Incident
from lakeproof.observability.rules import TEMPLATE_START, find_rules
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import await_replaced, kill_and_await
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(420)]

# Receiver and group: (receiver, (alert, component)).
type Told = tuple[str, tuple[str, str]]

ALERTING = ("prometheus", "alertmanager", "desk")
WITHIN_SECONDS = 10.0
FIRE_SECONDS = 30.0
LOADED_SECONDS = 8.0  # longer than a load of rules takes
# Longer than Alertmanager's group_interval: what it would say again has been said by then.
QUIET_SECONDS = 12.0
# Alertmanager notes whom it told once the receiver has answered, and on a machine that is busy ten times over not at
# once: at a load of 36, 2 of 1,000 messages were told again that had been told over 2 s before the last snapshot.
NOTED_SECONDS = 5.0
# A message that it sent just before its end is written down by its receiver a moment later. A restart takes longer.
ON_ITS_WAY_SECONDS = 0.5
# The supervisor waits up to 15 s before a restart, longer each time; a storm's alerts end after the last one.
RESTARTED_SECONDS, STORM_ENDS_LATER_SECONDS = 90.0, 70.0
ESCALATIONS, ESCALATED_SECONDS, DESK_KILLS = 50, 600.0, 50
# Enough that some are on their way when the kill comes.
NOTES_A_KILL, NOTES_AT_ONCE = 12, 4
# The desk hears by its own webhook, and is asked over its API.
NOT_PEOPLE = "desk"


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    made = People()
    yield made
    made.close()


@pytest.fixture(scope="module")
def stack(real_stack: RealStack, people: People) -> Iterator[Stack]:
    """One whose `up` was typed in a shell with all receivers set."""
    with pytest.MonkeyPatch.context() as shell:
        for name, value in people.environment.items():
            shell.setenv(name, value)
        with real_stack("delivery") as made:
            SupervisorClient(made).up(ALERTING)
            yield made


def forced_rules(from_seconds: float, to_seconds: float) -> list[dict[str, Any]]:
    """Every alert of every scenario as it is, but true between the two times (UNIX) and about one component."""
    found = []
    for file in find_rules():
        for group in yaml.safe_load(file.text)["groups"]:
            found += [copy.deepcopy(rule) for rule in group["rules"] if "alert" in rule]
    true = f"vector(1) and (vector(time()) >= {from_seconds}) and (vector(time()) < {to_seconds})"
    for rule in found:
        labels = {"component": "order-service"} if TEMPLATE_START in rule["labels"]["component"] else {}
        if rule["alert"] == "IncidentNotAcknowledged":
            labels |= {"team": "data-platform", "incident": "INC-000000"}
        rule["expr"] = true
        for name, value in labels.items():
            rule["expr"] = f'label_replace({rule["expr"]}, "{name}", "{value}", "", "")'
        rule.pop("for", None)
        rule.pop("keep_firing_for", None)
    return found


def load(stack: Stack, name: str, rules: list[dict[str, Any]], before: float | None = None) -> None:
    """Have Prometheus evaluate these as well, and return once it knows Alertmanager again.

    It looks for Alertmanagers at steps of 5 s, and after a reload knows none until the next step: what fires before
    is told with its repetition, 10 s later.
    before: when the first of them fires, UNIX time; the load must be over by then.
    """
    path = stack.etc_dir("prometheus") / "rules" / f"{name}.yml"
    path.write_text(json.dumps({"groups": [{"name": name, "rules": rules}]}))
    url = f"{stack.url('prometheus')}/-/reload"
    assert httpx.post(url, trust_env=False, timeout=10).status_code == 200
    known = f"{stack.url('prometheus')}/api/v1/alertmanagers"
    wait_for(
        "Prometheus knows Alertmanager",
        lambda: httpx.get(known, trust_env=False, timeout=10).json()["data"]["activeAlertmanagers"],
        20,
    )
    late = 0.0 if before is None else time.time() - before
    assert late <= 0, f"the rules were loaded {late:.1f} s after they began to fire"


def firing(stack: Stack, group: str) -> list[dict[str, Any]]:
    """What Prometheus says of the alerts of one group of rules: labels, activeAt."""
    url = f"{stack.url('prometheus')}/api/v1/rules"
    groups = httpx.get(url, trust_env=False, timeout=10).json()["data"]["groups"]
    return [
        alert
        for one in groups
        if one["name"] == group
        for rule in one["rules"]
        for alert in rule["alerts"]
        if alert["state"] == "firing"
    ]


def wait_for[T](what: str, look: Callable[[], T], seconds: float, seen: Callable[[], object] = lambda: "") -> T:
    return Deadline(seconds).wait_for(what, lambda: look() or None, every=0.1, seen=lambda: str(seen()))


def told(messages: list[Message], *, fires: bool) -> Counter[Told]:
    """How often each receiver was told of each group."""
    return Counter((one.to, one.about) for one in messages if one.fires is fires)


def uninhibited(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the milder one of two severities, of which nobody is told while the other one fires."""
    severities: dict[tuple[str, str], set[str]] = {}
    for alert in alerts:
        labels = alert["labels"]
        severities.setdefault((labels["alertname"], labels["component"]), set()).add(labels["severity"])

    def is_milder(labels: dict[str, str]) -> bool:
        return labels["severity"] == "warning" and len(severities[labels["alertname"], labels["component"]]) > 1

    return [alert for alert in alerts if not is_milder(alert["labels"])]


def wanted(alerts: list[dict[str, Any]]) -> set[Told]:
    """Who has to be told of what, by the contract."""
    found = set()
    for alert in uninhibited(alerts):
        labels = alert["labels"]
        about = (labels["alertname"], labels["component"])
        receivers = by_contract(about[0], labels["severity"], labels["team"]) - {NOT_PEOPLE}
        found |= {(to, about) for to in receivers}
    return found


def incidents_since(desk: DeskClient, begin: float) -> list[dict[str, Any]]:
    """The desk's incidents of this test: the stack may be one that was here before."""
    return [one for one in desk.incidents() if datetime.fromisoformat(one["opened_at"]).timestamp() >= begin]


def seconds_to_desk(alert: dict[str, Any]) -> float:
    """From when an alert fired, as Prometheus tells, to when the desk kept it."""
    fired, kept = (datetime.fromisoformat(alert[name]) for name in ("starts_at", "received_at"))
    return (kept - fired).total_seconds()


def test_every_alert_reaches_its_receivers_once_within_ten_seconds_and_ends(
    stack: Stack, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    people.messages.clear()
    LiveDesk(stack).keep_closed()
    begin = time.time()
    ended_at = begin + LOADED_SECONDS + FIRE_SECONDS
    rules = forced_rules(begin + LOADED_SECONDS, ended_at)
    load(stack, "every-alert", rules, begin + LOADED_SECONDS)

    def all_firing() -> list[dict[str, Any]]:
        found = firing(stack, "every-alert")
        return found if len(found) == len(rules) else []

    alerts = wait_for("every alert fires", all_firing, 20)
    fired_at = min(datetime.fromisoformat(alert["activeAt"]).timestamp() for alert in alerts)
    expected = wanted(alerts)

    def missing() -> set[Told]:
        return expected - set(told(people.messages, fires=True))

    wait_for("every receiver is told", lambda: not missing(), WITHIN_SECONDS, seen=missing)
    delays = sorted(message.at - fired_at for message in people.messages if message.fires)
    assert delays[-1] < WITHIN_SECONDS
    Deadline(QUIET_SECONDS + 1).pause(QUIET_SECONDS)
    assert {who: number for who, number in told(people.messages, fires=True).items() if number != 1} == {}
    assert set(told(people.messages, fires=True)) == expected

    def not_ended() -> set[Told]:
        return expected - set(told(people.messages, fires=False))

    wait_for("every receiver hears of the end", lambda: not not_ended(), FIRE_SECONDS + 40, seen=not_ended)
    ends = sorted(message.at - ended_at for message in people.messages if not message.fires)
    Deadline(QUIET_SECONDS + 1).pause(QUIET_SECONDS)
    assert {who: number for who, number in told(people.messages, fires=False).items() if number != 1} == {}
    assert people.refused == []
    keys: dict[tuple[str, str], set[str]] = {}
    for message in people.messages:
        if message.to == "pagerduty":
            keys.setdefault(message.about, set()).add(message.key)
    assert keys and {len(found) for found in keys.values()} == {1}, "a page is resolved by its own key"

    desk = DeskClient(stack)
    rows = incidents_since(desk, begin)
    at_desk = [alert for row in rows for alert in desk.incident(row["id"])["alerts"]]
    assert {alert["name"] for alert in at_desk} == {alert["labels"]["alertname"] for alert in alerts} - {
        "IncidentNotAcknowledged"
    }
    heard = uninhibited(at_desk)
    desk_delays = sorted(map(seconds_to_desk, heard))
    late = [one["name"] for one in heard if seconds_to_desk(one) >= WITHIN_SECONDS]
    assert late == [], f"the last came to the desk after {desk_delays[-1]:.1f} s"

    def statuses() -> set[str]:
        return {row["status"] for row in incidents_since(desk, begin)}

    wait_for("the desk hears of every end", lambda: statuses() == {"resolved"}, 40, seen=statuses)
    with capsys.disabled():
        ways = ", ".join(f"{to} {number}" for to, number in Counter(to for to, _ in expected).items())
        print(
            f"\n{len(rules)} alerts, {len(expected)} messages ({ways}): "
            f"told once each, p50 {delays[len(delays) // 2]:.1f} s, last {delays[-1]:.1f} s after it fired; "
            f"the end p50 {ends[len(ends) // 2]:.1f} s, last {ends[-1]:.1f} s; "
            f"the desk had the last of {len(heard)} alerts {desk_delays[-1]:.1f} s after it fired"
        )


def storm(begin: float, alerts: int, seconds: float) -> list[dict[str, Any]]:
    """Alerts that begin one after the other and all end together, each for #data-ops, PagerDuty and the desk."""
    return [
        {
            "alert": f"Storm{number}",
            "expr": f"vector(1) and (vector(time()) >= {begin + number * seconds / alerts}) "
            f"and (vector(time()) < {begin + seconds + STORM_ENDS_LATER_SECONDS})",
            "labels": {"severity": "high", "team": "cassandra", "scenario": "none", "component": f"part-{number}"},
            "annotations": {
                "runbook_url": "/runbook/none",
                "summary_vi": "bão",
                "summary_en": "storm",
                "metric": "time",
                "value": "{{ $value }}",
            },
        }
        for number in range(alerts)
    ]


@dataclass(frozen=True)
class Kill:
    """A kill -9 of Alertmanager, and when its last snapshot of whom it told was written; UNIX times."""

    at: float
    snapshot_at: float

    def forgets(self, told_at: float) -> bool:
        """True for what it told since that snapshot: this is all that it may tell again."""
        return self.snapshot_at - NOTED_SECONDS <= told_at <= self.at + ON_ITS_WAY_SECONDS


def kill(stack: Stack, client: SupervisorClient) -> Kill:
    """Kill it, and wait until it runs again, however long the supervisor waits before it starts it."""
    snapshot, before = stack.data_dir("alertmanager") / "nflog", client.row("alertmanager")
    snapshot_at = snapshot.stat().st_mtime if snapshot.exists() else 0.0
    client.kill("alertmanager")
    # Taken after the kill: what it told between the command and its end may be told again as well.
    made = Kill(time.time(), snapshot_at)
    await_replaced(client, [before], Deadline(RESTARTED_SECONDS))
    return made


def unexplained(messages: list[Message], kills: list[Kill]) -> list[tuple[Told, float]]:
    """Second tellings of one alert that no kill explains, with the seconds since the first one."""
    found = []
    last: dict[Told, float] = {}
    for message in sorted((one for one in messages if one.fires), key=lambda one: one.at):
        who = (message.to, message.about)
        before = last.get(who)
        if before is not None and not any(one.forgets(before) for one in kills):
            found.append((who, message.at - before))
        last[who] = message.at
    return found


@pytest.mark.parametrize(
    ("alerts", "seconds", "times"),
    [(60, 30.0, 4), pytest.param(500, 1300.0, 50, marks=pytest.mark.timeout(2000))],
)
def test_alertmanager_killed_in_a_storm_loses_nothing_and_repeats_only_what_it_told_since_its_last_snapshot(
    stack: Stack, people: People, capsys: pytest.CaptureFixture[str], alerts: int, seconds: float, times: int
) -> None:
    people.messages.clear()
    LiveDesk(stack).keep_closed()
    client, begin, kills = SupervisorClient(stack), time.time() + LOADED_SECONDS, list[Kill]()
    end = begin + seconds + STORM_ENDS_LATER_SECONDS
    load(stack, "storm", storm(begin, alerts, seconds), begin)
    for number in range(times):
        Deadline(seconds).pause(max(0.0, begin + (number + 1) * seconds / (times + 1) - time.time()))
        kills.append(kill(stack, client))
    expected = {
        (to, (f"Storm{number}", f"part-{number}"))
        for number in range(alerts)
        for to in ("slack-data-ops", "pagerduty")
    }

    def missing(fires: bool) -> set[Told]:
        return expected - set(told(people.messages, fires=fires))

    assert time.time() < end - 15, f"killed at {[one.at - begin for one in kills]}"
    wait_for("all of the storm is told", lambda: not missing(True), 60, seen=lambda: missing(True))
    assert time.time() < end
    wait_for("all of its end is told", lambda: not missing(False), 140, seen=lambda: missing(False))
    Deadline(QUIET_SECONDS + 1).pause(QUIET_SECONDS)
    repeated = sum(told(people.messages, fires=True).values()) - len(expected)
    assert unexplained(people.messages, kills) == []
    assert {who: number for who, number in told(people.messages, fires=False).items() if number != 1} == {}
    assert people.refused == []
    keys = {message.key for message in people.messages if message.to == "pagerduty"}
    assert len(keys) == alerts, "PagerDuty sees one page an alert, however often it is told"

    desk = DeskClient(stack)
    rows = incidents_since(desk, begin)
    kept = [alert["name"] for row in rows for alert in desk.incident(row["id"])["alerts"]]
    assert sorted(kept) == sorted(f"Storm{number}" for number in range(alerts))
    with capsys.disabled():
        print(
            f"\n{alerts} alerts in {seconds:.0f} s, Alertmanager killed {times} times: "
            f"{len(expected)} messages wanted, 0 lost, {repeated} told again; the desk has each alert once"
        )


def test_an_incident_that_nobody_acknowledges_is_told_by_the_same_routes_until_somebody_does(
    stack: Stack, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    people.messages.clear()
    desk = DeskClient(stack)
    opened = desk.open(title="nobody cares", team="kafka", severity="warning")
    engine = open_database(database_url(stack))
    with Session(engine) as session, session.begin():  # half an hour goes by
        session.get_one(Incident, int(opened["id"].removeprefix("INC-"))).opened_at -= timedelta(minutes=30)
    engine.dispose()
    began = time.time()
    about = ("IncidentNotAcknowledged", "desk")
    expected = {(to, about) for to in ("slack-data-ops", "slack-kafka", "pagerduty")}

    def missing(fires: bool) -> set[Told]:
        return expected - set(told(people.messages, fires=fires))

    wait_for("the escalation", lambda: not missing(True), 40, seen=lambda: missing(True))
    escalated_after = max(message.at for message in people.messages) - began
    assert opened["id"] in people.messages[0].text and "nobody cares" in people.messages[0].text
    desk.change(opened["id"], "ack", who="somebody")
    wait_for("its end", lambda: not missing(False), 60, seen=lambda: missing(False))
    assert set(told(people.messages, fires=True).values()) == {1}
    assert [one["id"] for one in desk.incidents() if one["title"].startswith("Nobody has")] == []
    with capsys.disabled():
        print(f"\nescalation: all receivers told {escalated_after:.1f} s after the time to acknowledge had passed")


@pytest.mark.timeout(2000)
def test_each_escalation_is_told_once_and_ends_once_while_the_desk_is_killed_fifty_times(
    stack: Stack, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    """Incidents fall due one after the other; nobody takes them on until the kills are over. As the desk is killed
    people write notes into another incident, and send each again until the desk has answered.
    """
    people.messages.clear()
    desk, client = DeskClient(stack), SupervisorClient(stack)
    names = [desk.open(title=f"forgotten {n}", team="kafka", severity="warning")["id"] for n in range(ESCALATIONS)]
    engine = open_database(database_url(stack))
    with Session(engine) as session, session.begin():
        for number, name in enumerate(names):
            incident = session.get_one(Incident, int(name.removeprefix("INC-")))
            overdue_in = number * ESCALATED_SECONDS / ESCALATIONS
            incident.opened_at += timedelta(seconds=overdue_in) - timedelta(minutes=30)
    engine.dispose()
    noted, sent_again = desk.open(title="noted", team="kafka", severity="warning")["id"], list[str]()

    def write_note(text: str) -> None:
        """Until the desk has answered."""

        def keep() -> dict[str, Any]:
            return desk.change(noted, "note", who="somebody", text=text, key=f"{noted}.{text.replace(' ', '-')}")

        until_kept(keep, sent_again.append, RESTARTED_SECONDS)

    begin = time.time()
    with ThreadPoolExecutor(NOTES_AT_ONCE) as people_writing:
        for number in range(DESK_KILLS):
            due = begin + (number + 1) * ESCALATED_SECONDS / (DESK_KILLS + 1)
            Deadline(ESCALATED_SECONDS).pause(max(0.0, due - time.time()))
            notes = [people_writing.submit(write_note, f"note {number}.{each}") for each in range(NOTES_A_KILL)]
            wait(notes, return_when=FIRST_COMPLETED)  # the desk has the next ones before it
            kill_and_await(client, ["desk"], Deadline(RESTARTED_SECONDS))
            for one in notes:
                one.result()
    wanted_notes = {f"note {number}.{each}" for number in range(DESK_KILLS) for each in range(NOTES_A_KILL)}
    kept = Counter(entry["what"] for entry in desk.incident(noted)["timeline"] if entry["kind"] == "note")
    assert kept == Counter(wanted_notes)
    unanswered = [text for text in sent_again if "may have kept it" in text]
    assert unanswered, "no kill came between a note and its answer"
    expected = {(to, name) for to in ("slack-data-ops", "slack-kafka", "pagerduty") for name in names}

    def escalations(fires: bool) -> Counter[tuple[str, str]]:
        """How often each receiver was told of each incident."""
        told = (one for one in people.messages if one.fires is fires and one.about[0] == "IncidentNotAcknowledged")
        return Counter((one.to, name) for one in told for name in names if name in one.text)

    wait_for("every escalation", lambda: expected <= set(escalations(True)), 60, seen=lambda: escalations(True))
    assert escalations(False) == {}, "an end is told while nobody has taken the incident on"
    assert set(escalations(True).values()) == {1}
    for name in (*names, noted):
        desk.change(name, "ack", who="somebody")
    wait_for("every end", lambda: expected <= set(escalations(False)), 60, seen=lambda: escalations(False))
    assert set(escalations(False).values()) == {1}
    with capsys.disabled():
        print(
            f"\n{ESCALATIONS} escalations, the desk killed {DESK_KILLS} times in {time.time() - begin:.0f} s; "
            f"{len(wanted_notes)} notes, sent again {len(sent_again)} times, {len(unanswered)} of them unanswered"
        )
