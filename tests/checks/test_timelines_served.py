"""Timelines against what a refresh tells, over looks made up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import checks
from lakeproof_shop.scenarios.support_timeline.checks import Look, is_slow_and_nothing_else, judge, settled

OK = {"complete": True, "entries": [{"type": "order.created", "ref": 1}], "sources": {}}
CUT = OK | {
    "complete": False,
    "sources": {"fulfillment": {"state": "missing", "why": "no answer within 2.5 s"}, "order": {"state": "ok"}},
}
GOOD = Look(7, OK, OK, (0.02, 0.03, 0.01), 1.0)


def judged(*looks: Look, wanted: int = 1, at_rest: bool = True) -> Verdict:
    return judge(looks, 2.0, wanted, at_rest=at_rest)


def test_whole_quick_and_current_timelines_pass() -> None:
    verdict = judged(GOOD, replace(GOOD, case=8))
    assert verdict.outcome is Outcome.PASSED
    assert verdict.numbers["timelines"] == 2


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (replace(GOOD, took=(2.5, 2.5, 2.5)), "p95 is 2.50 s"),
        (replace(GOOD, served=CUT, anew=CUT), "case 7: fulfillment missing (no answer within 2.5 s)"),
        (replace(GOOD, age=2.1), "case 7: collected 2.1 s ago, kept for 2 s"),
        (replace(GOOD, anew=OK | {"entries": []}), "a refresh tells other entries"),
    ],
)
def test_a_slow_cut_or_old_one_fails_and_is_named(look: Look, words: str) -> None:
    verdict = judged(GOOD, look)
    assert verdict.outcome is Outcome.FAILED
    assert words in verdict.summary


def test_only_whole_timelines_that_came_late_are_asked_again() -> None:
    late = replace(GOOD, took=(2.5, 2.5, 2.5))
    other = replace(late, anew=OK | {"entries": []})

    def asked_again(*looks: Look, at_rest: bool = True) -> bool:
        return is_slow_and_nothing_else(looks, 2.0, at_rest=at_rest)

    assert asked_again(GOOD, late)
    assert not asked_again(GOOD)
    assert not asked_again(late, replace(late, served=CUT, anew=CUT))
    assert not asked_again(late, replace(late, age=9.0))
    assert not asked_again(late, other) and asked_again(late, other, at_rest=False)
    assert not asked_again()


def told(*times: str, collected: str = "2026-11-26T10:00:00Z") -> dict[str, Any]:
    """A timeline with an entry of each of these times."""
    return OK | {"entries": [{"at": at, "ref": 1} for at in times], "collected_at": collected}


BEFORE, AFTER = "2026-11-26T09:00:00Z", "2026-11-26T10:00:01Z"


def test_a_stale_timeline_that_the_refresh_mends_stays_seen() -> None:
    stale = replace(GOOD, served=told(), anew=told(BEFORE), age=3_600.0)
    current = replace(GOOD, served=told(BEFORE), anew=told(BEFORE))
    left = [stale, current]
    look = settled(lambda: left.pop(0))
    verdict = judged(look)
    assert left == [current], "nothing happened meanwhile that another look could explain"
    assert verdict.outcome is Outcome.FAILED
    assert (verdict.numbers["too_old"], verdict.numbers["not_current"]) == (1, 1)


def test_what_happened_between_two_answers_is_looked_at_again_and_its_age_is_kept() -> None:
    shipped = replace(GOOD, served=told(BEFORE), anew=told(BEFORE, AFTER), age=3.0)
    current = replace(GOOD, served=told(BEFORE, AFTER), anew=told(BEFORE, AFTER))
    left = [shipped, current]
    look = settled(lambda: left.pop(0))
    assert not left
    verdict = judged(look)
    assert (verdict.numbers["too_old"], verdict.numbers["not_current"]) == (1, 0)


def test_while_shoppers_buy_entries_may_differ() -> None:
    assert judged(replace(GOOD, anew=OK | {"entries": []}), at_rest=False).outcome is Outcome.PASSED


def test_without_a_case_it_is_unknown_and_before_the_fault_there_may_be_none() -> None:
    assert judged().outcome is Outcome.UNKNOWN
    assert judged(wanted=0).outcome is Outcome.PASSED


@pytest.mark.parametrize(("status", "outcome"), [(503, Outcome.FAILED), (404, Outcome.UNKNOWN)])
def test_a_service_that_refuses_every_timeline_serves_none(
    tmp_path: Path, answering: Any, monkeypatch: pytest.MonkeyPatch, status: int, outcome: Outcome
) -> None:
    monkeypatch.setattr(checks, "rows_of", lambda *_: [(7,)])
    address = answering(lambda *_: (status, {}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"support-service": {"http": address}}))
    context, nothing = CheckContext(stack, Deadline(5)), Baseline(Verdict("", Outcome.PASSED, ""))
    assert checks.TimelinesServed().verify(context, nothing).outcome is outcome
    assert checks.TimelinesServed().baseline(context).verdict.outcome is Outcome.UNKNOWN


def test_one_timeline_that_is_refused_is_asked_for_again(
    tmp_path: Path, answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "rows_of", lambda *_: [(7,)])
    statuses = [503, 404]
    address = answering(lambda *_: (statuses.pop(0), {}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"support-service": {"http": address}}))
    context, nothing = CheckContext(stack, Deadline(5)), Baseline(Verdict("", Outcome.PASSED, ""))
    assert checks.TimelinesServed().verify(context, nothing).outcome is Outcome.UNKNOWN
    assert statuses == []
