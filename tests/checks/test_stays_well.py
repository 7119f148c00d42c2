"""A part that was killed: back and quiet, alerted again, not back, and a Prometheus that tells nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof import deadline
from lakeproof.checks import restarts
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.restarts import StaysWell
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import bind
from lakeproof.drills.plan import make_plan
from lakeproof.errors import CouldNotLook
from lakeproof.probes.reading import Reading
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

BEFORE = Baseline(Verdict(StaysWell.summary, Outcome.PASSED, ""))
ARGUMENTS = StaysWell(component="connect", seconds=120)
ALL_QUIET = 36  # looks, one a second, until all alerts have been quiet for 35 s
PENDING, FIRES = {"LakePublishStale": "pending"}, {"LakePublishStale": "firing"}


@dataclass
class Shop:
    """Whether shoppers buy, and how they were seen when the part was killed."""

    buying: bool = False
    at_the_kill: list[bool] = field(default_factory=list)

    @contextmanager
    def shopping(self) -> Iterator[None]:
        self.buying = True
        yield
        self.buying = False


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes on by what is slept alone, so that looks can be counted."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()

    def killed(client: object, names: list[str], patience: Deadline) -> None:
        made.at_the_kill.append(made.buying)
        patience.pause(3.0)

    monkeypatch.setattr(restarts, "kill_and_await", killed)
    return made


@pytest.fixture
def context(stack: Stack, monkeypatch: pytest.MonkeyPatch, shop: Shop) -> CheckContext:
    """The part is back after three seconds, and its evidence is healthy."""
    evidence(monkeypatch, healthy=True)
    return CheckContext(stack, Deadline(5), shopping=shop.shopping)


def evidence(monkeypatch: pytest.MonkeyPatch, *, healthy: bool) -> None:
    seen = Reading("connector-state", "RUNNING" if healthy else "FAILED", "", datetime.now(UTC), "connect", "GET")
    monkeypatch.setattr(restarts, "look", lambda context: {seen.probe: (seen, healthy)})


def alerts(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, str] | None, quiet: int = 0) -> None:
    """What Prometheus answers, one after another, the last one for ever; None: no answer.

    quiet: so many looks without an alert come first.
    """
    each: Iterator[dict[str, str] | None] = iter([{}] * quiet + list(answers))
    last: dict[str, str] | None = {}

    def alert_states(stack: Stack) -> dict[str, str]:
        nonlocal last
        last = next(each, last)
        if last is None:
            raise CouldNotLook("no answer", where="prometheus")
        return last

    monkeypatch.setattr(restarts, "alert_states", alert_states)


def test_what_comes_back_and_is_alerted_only_for_the_kill_stays_well(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """One look in vain and an alert that comes a moment after the part is back are no trouble of their own."""
    alerts(monkeypatch, {}, None, PENDING, FIRES, {})
    verdict = ARGUMENTS.verify(context, BEFORE)
    assert (verdict.outcome, verdict.summary) == (
        Outcome.PASSED,
        "connect was back 3 s after kill -9; no alert for 120 s",
    )
    assert (shop.at_the_kill, shop.buying) == ([True], False)


@pytest.mark.parametrize(
    ("told", "quiet", "outcome", "words"),
    [
        (FIRES, ALL_QUIET, Outcome.FAILED, "LakePublishStale fires 0 s after connect was back and all was quiet"),
        (FIRES, 0, Outcome.FAILED, "last seen: LakePublishStale"),
        (PENDING, ALL_QUIET, Outcome.UNKNOWN, "LakePublishStale is still pending"),
    ],
    ids=["fires once all was quiet", "never falls silent", "stays pending"],
)
def test_an_alert_is_no_clean_end_and_is_named(
    context: CheckContext,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, str],
    quiet: int,
    outcome: Outcome,
    words: str,
) -> None:
    alerts(monkeypatch, told, quiet=quiet)
    verdict = ARGUMENTS.verify(context, BEFORE)
    assert (verdict.outcome, words in verdict.summary) == (outcome, True)


def test_an_alert_that_is_pending_at_the_end_is_waited_for(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts(monkeypatch, *[PENDING] * 140, FIRES, quiet=ALL_QUIET)
    assert ARGUMENTS.verify(context, BEFORE).outcome is Outcome.FAILED


@pytest.mark.parametrize("quiet", [ALL_QUIET, ALL_QUIET + 115])
def test_a_prometheus_that_falls_silent_proves_nothing(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, quiet: int
) -> None:
    alerts(monkeypatch, None, quiet=quiet)
    verdict = ARGUMENTS.verify(context, BEFORE)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.summary.startswith("Prometheus gave no answer ")


def test_evidence_out_of_range_after_the_watch_fails(context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts(monkeypatch, {})
    evidence(monkeypatch, healthy=False)
    verdict = ARGUMENTS.verify(context, BEFORE)
    assert (verdict.outcome, "connector-state is FAILED" in verdict.summary) == (Outcome.FAILED, True)


def test_somebody_elses_processes_are_not_killed(tmp_path: Path) -> None:
    theirs = Stack(Settings(state_dir=tmp_path, mode="external"))
    with pytest.raises(CouldNotLook, match="not ours to kill"):
        ARGUMENTS.verify(CheckContext(theirs, Deadline(5)), BEFORE)


def test_a_drill_that_is_asked_to_kills_each_part_after_its_restart_and_judges_rows_afterwards() -> None:
    catalog = load_catalog(())
    plan = make_plan([catalog.scenario("connector-failure"), catalog.scenario("flink-restarts")])
    assert "stays_well" not in [each.name for each in bind(plan, catalog)]
    checks = bind(plan, catalog, 120)
    assert all(each.check.judges_rows for each in checks[-3:])
    *_, second, first, last = [each for each in checks if not each.check.judges_rows]
    assert second.check.id == "survives_restart"
    assert [first.check, last.check] == [
        StaysWell(component="connect", seconds=120),
        StaysWell(component="flink-taskmanager", seconds=120),
    ]
