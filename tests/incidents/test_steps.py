"""The runbook's five steps: what an incident needs to leave each of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.incidents.conftest import Make, Receive

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills.bound_checks import Judged, counted
from lakeproof.drills.live_world import shapes
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.incidents.checklist import ITEMS, AnswerState
from lakeproof.incidents.escalation import Watch
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.reviews import MOST_LOOKS
from lakeproof.incidents.self_check import LiveLook, look_at
from lakeproof.incidents.shapes import Act, AnswerIn, EvidenceIn, IncidentIn, IncidentOut, Lesson, Owner
from lakeproof.incidents.status import STEPS, Status
from lakeproof.incidents.store import Store
from lakeproof.observability.moment import SHARED_SECONDS, Looker
from lakeproof.probes import prometheus
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Well:
    """A stack whose job completed a checkpoint at that time, and whose components all answer."""

    def __init__(self, at: datetime, unwell: tuple[str, ...] = ()) -> None:
        self.at, self.ill = at, list(unwell)

    def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> dict[str, tuple[int, datetime] | None]:
        return {"lake-oltp": (57, self.at)}

    def unwell(self) -> list[str]:
        return self.ill


class Silent:
    """A stack that answers nothing."""

    def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> dict[str, tuple[int, datetime] | None]:
        raise CouldNotLook("no answer")

    def unwell(self) -> list[str]:
        raise CouldNotLook("no answer")


def verification(engines: Iterable[str], outcome: Outcome = Outcome.PASSED) -> EvidenceIn:
    """What a drill attaches after its checks, where those engines were read."""
    numbers: dict[str, float] = {"lost": 0, **{f"rows.{engine}": 12034 for engine in engines}}
    judged = Judged("no_order_lost", Verdict("no order is lost", outcome, "0 of 12034 lost", numbers))
    body = {judged.check: f"{outcome.value}: {judged.verdict.summary}", "alert_cleared": "passed: quiet"}
    given = {"title": "verification", "kind": "verification", "body": body, "readings": shapes(counted(judged))}
    return EvidenceIn.model_validate(given)


def of_two_incidents(*engines: tuple[str, ...]) -> EvidenceIn:
    """The same of a drill of two incidents: each made the claim, with its own engines."""
    parts = [verification(read) for read in engines]
    renamed = json.loads(parts[1].model_dump_json().replace("no_order_lost", "no_order_lost (2)"))
    both = parts[0].model_dump()
    both["body"] |= renamed["body"]
    both["readings"] += renamed["readings"]
    return EvidenceIn.model_validate(both)


type TakeIn = Callable[..., IncidentOut]


@pytest.fixture
def received(store: Store, receive: Receive) -> TakeIn:
    """`received(*alerts)`: the first incident once the store has taken these in."""

    def take_in(*alerts: dict[str, Any]) -> IncidentOut:
        receive(*alerts)
        return store.get("1")

    return take_in


def test_the_five_steps_have_the_runbooks_names() -> None:
    runbook = "Phát hiện, Chuẩn đoán, Khắc phục tạm thời, Phục hồi hoàn toàn, Hậu kiểm"
    assert ", ".join(step.vi for step in STEPS.values()) == runbook
    assert [step.number for step in STEPS.values()] == [1, 2, 3, 4, 5]


def test_full_recovery_begins_by_itself_once_the_alerts_of_a_repaired_incident_are_cleared(
    store: Store, alert: Make, received: TakeIn
) -> None:
    received(alert())
    store.move("1", Status.MITIGATING, Act(who="an"))
    assert received(alert(status="resolved")).status is Status.VERIFYING


@pytest.mark.parametrize("before", [Status.ACKNOWLEDGED, Status.MITIGATING])
def test_full_recovery_begins_while_an_alert_fires_only_with_a_reason(
    store: Store, alert: Make, received: TakeIn, before: Status
) -> None:
    received(alert())
    store.move("1", before, Act(who="an"))
    with pytest.raises(InvalidInput, match="CdcReplicationLagHigh still fires") as refused:
        store.move("1", Status.VERIFYING, Act(who="an", text=" "))
    assert "say in `text` why" in refused.value.message
    assert store.get("1").status is before
    assert store.move("1", Status.VERIFYING, Act(who="an", text="it lags by design")).status is Status.VERIFYING


def test_a_repair_that_does_not_hold_goes_back_to_mitigation(store: Store, alert: Make, received: TakeIn) -> None:
    received(alert())
    store.move("1", Status.MITIGATING, Act(who="an"))
    received(alert(status="resolved"))
    again = alert() | {"startsAt": "2026-11-24T12:02:00Z"}
    assert received(again).status is Status.MITIGATING


def test_whoever_resolves_while_an_alert_fires_has_to_say_why(store: Store, alert: Make, received: TakeIn) -> None:
    received(alert())
    with pytest.raises(InvalidInput, match="CdcReplicationLagHigh still fires"):
        store.move("1", Status.RESOLVED, Act(who="an"))
    assert store.move("1", Status.RESOLVED, Act(who="an", text="a test of ours")).owner == "an"


def test_closing_needs_a_lesson_and_an_answered_checklist(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.move("1", Status.RESOLVED, Act(who="an"))
    with pytest.raises(InvalidInput, match="no lesson learned"):
        store.move("1", Status.REVIEWED, Act(who="an"))
    store.learn("1", Lesson(text="pause alerts earlier", who="an"))
    with pytest.raises(InvalidInput, match="not answered: alerts_cleared, checkpoint"):
        store.move("1", Status.REVIEWED, Act(who="an"))
    for item in ITEMS:
        store.answer("1", AnswerIn(item=item.id, state=AnswerState.WAIVED, text="opened by hand", who="an"))
    assert store.move("1", Status.REVIEWED, Act(who="an")).status is Status.REVIEWED


def test_an_item_is_not_waived_without_a_reason(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    with pytest.raises(InvalidInput, match="needs a reason"):
        store.answer("1", AnswerIn(item="health", state=AnswerState.WAIVED))
    with pytest.raises(InvalidInput, match="no item 'coffee'"):
        store.answer("1", AnswerIn(item="coffee"))


def test_the_checklist_answers_itself_where_a_machine_can(
    store: Store, clock: Any, alert: Make, received: TakeIn
) -> None:
    received(alert())
    store.move("1", Status.MITIGATING, Act(who="an"))
    received(alert(status="resolved"))
    store.attach("1", verification(("mysql", "trino", "flink")))
    clock.forward(seconds=30)
    watch = Watch(store, lambda *_: {}, lambda scenario: [], stack_look=Well(clock.now), clock=clock.monotonic)
    watch.look_at_checklists()
    found = {line.item: (line.state, line.who) for line in store.get("1").checklist}
    for item in ("alerts_cleared", "checkpoint", "cross_check", "health"):
        assert found[item] == (AnswerState.DONE, "desk")
    for item in ("ticket_resolved", "rca_kept", "stakeholders_told"):
        assert found[item] == (AnswerState.OPEN, "")
    before = store.get("1").timeline
    clock.forward(minutes=30)
    watch.look_at_checklists()
    assert store.get("1").timeline == before


def test_what_was_proven_of_a_repair_that_did_not_hold_has_to_be_proven_again(
    store: Store, clock: Any, alert: Make, received: TakeIn
) -> None:
    received(alert())
    clock.forward(seconds=7)
    store.move("1", Status.MITIGATING, Act(who="an"))
    received(alert(status="resolved"))
    store.attach("1", verification(("mysql", "trino", "flink")))
    store.answer("1", AnswerIn(item="ticket_resolved", who="an"))
    clock.forward(seconds=30)
    stack = Well(clock.now)
    watch = Watch(store, lambda *_: {}, lambda scenario: [], stack_look=stack, clock=clock.monotonic)
    watch.look_at_checklists()
    open_ones = {line.item for line in store.get("1").checklist if line.state is AnswerState.OPEN}
    assert open_ones == {"rca_kept", "stakeholders_told"}

    clock.forward(minutes=2)
    again = alert() | {"startsAt": "2026-11-24T12:02:00Z"}
    incident = received(again)
    assert (incident.status, incident.mitigating_at) == (Status.MITIGATING, clock.now)
    assert "| To the first repair step | 7.0 s" in draft_rca(incident)
    done = {line.item for line in incident.checklist if line.state is not AnswerState.OPEN}
    assert done == {"ticket_resolved"}  # a person said so
    (line,) = [entry.what for entry in incident.timeline if "open again" in entry.what]
    assert line == "checklist: alerts_cleared, checkpoint, cross_check, health open again"

    received(again | {"status": "resolved", "endsAt": "2026-11-24T12:03:00Z"})
    watch.look_at_checklists()
    found = {line.item: line.text for line in store.get("1").checklist if line.state is AnswerState.OPEN}
    assert "older than the repair" in found["checkpoint"]
    assert "nobody has compared" in found["cross_check"]


def test_a_repair_that_a_person_begins_anew_opens_the_checklist_again(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    for status in (Status.MITIGATING, Status.VERIFYING):
        store.move("1", status, Act(who="an"))
    store.keep_looks("1", {"health": (AnswerState.DONE, "every component answers")})
    incident = store.move("1", Status.MITIGATING, Act(who="an"))
    assert incident.verifying_at is None
    assert {line.state for line in incident.checklist} == {AnswerState.OPEN}


def test_while_an_incident_is_verified_what_was_well_and_is_not_any_more_is_seen(store: Store, clock: Any) -> None:
    store.open(IncidentIn(title="x"))
    for status in (Status.MITIGATING, Status.VERIFYING):
        store.move("1", status, Act(who="an"))
    for item in ("ticket_resolved", "checkpoint", "cross_check", "alerts_cleared"):
        store.answer("1", AnswerIn(item=item, who="an"))
    stack = Well(clock.now)
    watch = Watch(store, lambda *_: {}, lambda scenario: [], stack_look=stack, clock=clock.monotonic)
    for ill in ([], ["trino"]):
        stack.ill = ill
        clock.forward(minutes=1)
        watch.look_at_checklists()
    health = next(line for line in store.get("1").checklist if line.item == "health")
    assert (health.state, health.text) == (AnswerState.OPEN, "no healthy answer: trino")


@pytest.mark.parametrize(
    ("stack", "item", "says"),
    [
        (Silent(), "checkpoint", "could not look"),
        (Silent(), "health", "could not look"),
        (Well(START), "checkpoint", "older than the repair"),
        (Well(START.replace(hour=13), ("trino",)), "health", "trino"),
        (Well(START), "cross_check", "nobody has compared"),
    ],
)
def test_what_is_not_seen_to_be_well_stays_open(store: Store, stack: Any, item: str, says: str) -> None:
    store.open(IncidentIn(title="x"))
    state, text = look_at(store.get("1"), stack)[item]
    assert state is AnswerState.OPEN
    assert says in text


type Checkpoints = dict[str, tuple[int, datetime] | None]
LATER = START.replace(hour=13)


@pytest.mark.parametrize(
    ("newest", "state", "says"),
    [
        ({"lake-oltp": (57, LATER)}, "done", "checkpoint 57 of lake-oltp"),
        ({"lake-oltp": (57, LATER), "lake-shop": (12, START)}, "open", "checkpoint 12 of lake-shop"),
        ({"lake-oltp": None, "lake-shop": (12, LATER)}, "open", "lake-oltp has completed no checkpoint"),
        ({}, "open", "no job is known"),
    ],
)
def test_every_job_that_the_alerts_are_about_needs_a_checkpoint_since_the_repair(
    store: Store, newest: Checkpoints, state: str, says: str
) -> None:
    class Jobs(Well):
        def checkpoints(self, alerts: Iterable[Mapping[str, str]]) -> Checkpoints:
            return newest

    store.open(IncidentIn(title="x"))
    found, text = look_at(store.get("1"), Jobs(LATER))["checkpoint"]
    assert (found.value, says in text) == (state, True)


def test_another_jobs_checkpoint_does_not_answer_for_the_job_that_restarts(
    store: Store, alert: Make, received: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def completed(looker: Looker, jobs: Iterable[str]) -> Checkpoints:
        newest: Checkpoints = {"lake-oltp": (31, START.replace(hour=11)), "lake-shop": (12, LATER)}
        return {job: newest[job] for job in jobs}

    monkeypatch.setattr(Looker, "completed_checkpoints", completed)
    monkeypatch.setattr(LiveLook, "unwell", lambda look: [])
    shop = {"mode": "external", "endpoints": {"shop-capture": {"http": "127.0.0.1:9"}}}
    both = LiveLook(Stack(Settings.model_validate(shop)))
    incident = received(alert(alertname="FlinkJobRestarting", job_name="lake-oltp"))
    state, text = look_at(incident, both)["checkpoint"]
    assert (state, text) == (AnswerState.OPEN, "checkpoint 31 of lake-oltp, 11:00:00 UTC, is older than the repair")
    of_shop = incident.model_copy(
        update={"alerts": [one.model_copy(update={"labels": {"database": "shop"}}) for one in incident.alerts]}
    )
    assert look_at(of_shop, both)["checkpoint"][0] is AnswerState.DONE
    by_hand = incident.model_copy(update={"alerts": []})
    assert look_at(by_hand, both)["checkpoint"][0] is AnswerState.OPEN


def test_the_stack_is_asked_once_for_all_checklists_that_are_looked_at_within_a_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    now = 100.0
    answers: list[Any] = [
        CouldNotLook("Prometheus is away"),
        [({"component": "trino"}, 0.0)],
        [({"component": "trino"}, 1.0)],
    ]

    def completed(looker: Looker, jobs: Iterable[str]) -> Checkpoints:
        nonlocal now
        asked.append("checkpoints")
        now += SHARED_SECONDS + 1  # as a JobManager that hangs
        return {"lake-oltp": (31, LATER)}

    def instant(stack: Stack, expression: str) -> Any:
        asked.append("health")
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Looker, "completed_checkpoints", completed)
    monkeypatch.setattr(prometheus, "instant", instant)
    look = LiveLook(Stack(Settings()), lambda: now)
    store.open(IncidentIn(title="x"))

    def health() -> list[tuple[AnswerState, str]]:
        return [look_at(store.get("1"), look)["health"] for _ in range(3)]

    assert set(health()) == {(AnswerState.OPEN, "could not look: Prometheus is away")}
    assert asked == ["checkpoints", "health"]
    now += SHARED_SECONDS + 0.1
    assert set(health()) == {(AnswerState.OPEN, "no healthy answer: trino")}
    now += SHARED_SECONDS + 0.1
    assert set(health()) == {(AnswerState.DONE, "every component that is up answers")}
    assert asked == ["checkpoints", "health"] * 3


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"verdict": "passed", "nessie_hash": "ab", "tables": [{"engine": "trino"}, {"engine": "spark"}]}, "done"),
        ({"verdict": "failed", "nessie_hash": "ab", "tables": [{"engine": "trino"}]}, "open"),
        ({"verdict": "passed", "nessie_hash": "ab", "tables": [{"engine": "mysql"}]}, "open"),
        ({"verdict": "passed", "tables": []}, "open"),
        ({"verdict": "passed", "tables": None}, "open"),
    ],
)
def test_a_cross_check_counts_where_spark_or_trino_took_part_and_it_passed(
    store: Store, body: dict[str, Any], state: str
) -> None:
    store.open(IncidentIn(title="x"))
    store.attach("1", EvidenceIn(title="check", kind="cross_check", body=body))
    assert look_at(store.get("1"), Well(START))["cross_check"][0].value == state


@pytest.mark.parametrize(
    ("engines", "outcome", "state", "says"),
    [
        (("mysql", "trino", "flink"), Outcome.PASSED, "done", "passed: 0 of 12034 lost"),
        (("mysql",), Outcome.PASSED, "open", "unknown: neither Trino nor Spark was read (0 of 12034 lost)"),
        (("mysql", "flink"), Outcome.PASSED, "open", "unknown: neither Trino nor Spark was read (0 of 12034 lost)"),
        (("mysql",), Outcome.FAILED, "open", "failed: 0 of 12034 lost"),
    ],
)
def test_a_drills_verification_counts_where_spark_or_trino_took_part(
    store: Store, engines: tuple[str, ...], outcome: Outcome, state: str, says: str
) -> None:
    """A scenario with `lake: false` asks no engine: the databases are held to the ledger alone."""
    store.open(IncidentIn(title="x"))
    store.attach("1", verification(engines, outcome))
    found, text = look_at(store.get("1"), Well(START))["cross_check"]
    assert (found.value, text) == (state, says)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (("mysql",), ("mysql", "trino"), "done"),
        (("mysql", "trino"), ("mysql",), "done"),
        (("mysql",), ("mysql",), "open"),
    ],
)
def test_of_two_incidents_in_one_drill_either_may_have_read_an_engine(
    store: Store, first: tuple[str, ...], second: tuple[str, ...], state: str
) -> None:
    store.open(IncidentIn(title="x"))
    store.attach("1", of_two_incidents(first, second))
    assert look_at(store.get("1"), Well(START))["cross_check"][0].value == state


def test_an_incident_whose_checklist_cannot_be_answered_holds_up_no_other_one(store: Store, clock: Any) -> None:
    class Strange(Well):
        """Its first answer is of a shape that nobody foresaw."""

        def unwell(self) -> list[str]:
            if self.ill:
                raise KeyError(self.ill.pop())
            return []

    for number in ("1", "2"):
        store.open(IncidentIn(title="x"))
        store.move(number, Status.MITIGATING, Act(who="an"))
        store.move(number, Status.VERIFYING, Act(who="an"))
    watch = Watch(store, lambda *_: {}, lambda scenario: [], stack_look=Strange(clock.now, ("metric",)))
    watch.look_at_checklists()
    healthy = [line.state for name in ("1", "2") for line in store.get(name).checklist if line.item == "health"]
    assert healthy == [AnswerState.DONE, AnswerState.OPEN]  # the newest one is looked at first


def test_resolved_incidents_keep_no_incident_that_is_being_verified_from_being_looked_at(store: Store) -> None:
    store.open(IncidentIn(title="its repair waits"))
    store.move("1", Status.MITIGATING, Act(who="an"))
    store.move("1", Status.VERIFYING, Act(who="an"))
    for number in range(2, MOST_LOOKS + 2):
        store.open(IncidentIn(title="newer"))
        store.move(str(number), Status.RESOLVED, Act(who="an"))
    looked_at = [one.id for one in store.to_look_at(START - timedelta(hours=1))]
    assert (looked_at[0], len(looked_at)) == ("INC-000001", MOST_LOOKS)


def test_incidents_with_nothing_left_to_answer_keep_no_older_one_from_being_looked_at(store: Store) -> None:
    for number in range(1, MOST_LOOKS + 2):
        store.open(IncidentIn(title="x"))
        store.move(str(number), Status.RESOLVED, Act(who="an"))
        for item in ITEMS if number > 1 else ():
            store.answer(str(number), AnswerIn(item=item.id, who="an"))
    assert [one.id for one in store.to_look_at(START - timedelta(hours=1))] == ["INC-000001"]


def test_a_look_that_ends_after_the_review_opens_no_item_of_the_closed_incident(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.move("1", Status.RESOLVED, Act(who="an"))
    store.learn("1", Lesson(text="pause alerts earlier", who="an"))
    store.keep_looks("1", {"health": (AnswerState.DONE, "every component answers")})
    for item in ITEMS:
        if item.id != "health":
            store.answer("1", AnswerIn(item=item.id, who="an"))
    store.move("1", Status.REVIEWED, Act(who="an"))
    store.keep_looks("1", {"health": (AnswerState.OPEN, "no healthy answer: trino")})
    assert {line.state for line in store.get("1").checklist} == {AnswerState.DONE}


def test_what_a_person_answered_no_machine_changes(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.answer("1", AnswerIn(item="health", state=AnswerState.WAIVED, text="trino is being moved", who="an"))
    store.keep_looks("1", {"health": (AnswerState.OPEN, "no healthy answer: trino")})
    line = next(line for line in store.get("1").checklist if line.item == "health")
    assert (line.state, line.who) == (AnswerState.WAIVED, "an")


def test_lessons_are_kept_per_scenario_newest_first(store: Store) -> None:
    for number, scenario in enumerate(("trino-backlog", "none", "trino-backlog"), start=1):
        store.open(IncidentIn(title=f"t{number}", scenario=scenario))
        store.move(str(number), Status.RESOLVED, Act(who="an"))
        store.learn(str(number), Lesson(text=f"lesson of incident {number}", who="an"))
    assert [one.incident for one in store.lessons("trino-backlog")] == ["INC-000003", "INC-000001"]
    assert len(store.lessons()) == 3


def test_an_owner_is_handed_over_with_a_line(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    incident = store.give("1", Owner(owner="binh", who="an", text="end of shift"))
    assert (incident.owner, incident.timeline[-1].what) == ("binh", "owner was an, is binh: end of shift")


def test_the_clock_of_an_incident_goes_on_over_a_restart(tmp_path: Path, clock: Any) -> None:
    from lakeproof.incidents.database import open_database

    url = f"sqlite:///{tmp_path / 'restarted.sqlite'}"
    first = open_database(url)
    Store(first, clock).open(IncidentIn(title="x", team="kafka"))
    first.dispose()
    clock.forward(minutes=30)
    second = open_database(url)
    assert [one.id for one in Store(second, clock).escalate_due()] == ["INC-000001"]
    second.dispose()
