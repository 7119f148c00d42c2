"""Timelines against what a refresh tells, over looks made up."""

from dataclasses import replace

import pytest

from lakeproof.checks.timelines_served import Look, is_slow_and_nothing_else, judge
from lakeproof.checks.verdict import Outcome, Verdict

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
    assert is_slow_and_nothing_else([GOOD, late])
    assert not is_slow_and_nothing_else([GOOD])
    assert not is_slow_and_nothing_else([late, replace(late, served=CUT, anew=CUT)])
    assert not is_slow_and_nothing_else([])


def test_while_shoppers_buy_entries_may_differ() -> None:
    assert judged(replace(GOOD, anew=OK | {"entries": []}), at_rest=False).outcome is Outcome.PASSED


def test_without_a_case_it_is_unknown_and_before_the_fault_there_may_be_none() -> None:
    assert judged().outcome is Outcome.UNKNOWN
    assert judged(wanted=0).outcome is Outcome.PASSED
