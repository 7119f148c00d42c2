"""Whole drills on the real engines: scenarios pass, a wrong fix does not, the stack is healthy after them.

`make test-drills` drills a third of the scenarios and one wrong fix, which the commit chooses; with `TURNS=` all
scenarios. `make proof` plays all wrong fixes, too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.commit import commit
from tests.drills_real.health import await_health
from tests.drills_real.scenarios import PARTS
from tests.drills_real.wrong_fixes import WRONG_FIXES, WrongFix, chosen_by

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import bind, take_known_baselines
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import make_plan
from lakeproof.drills.wrong_series import turned_down_by
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.findings import WRONG
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

CATALOG = load_catalog()
CLAIM_SECONDS = 60.0


def assert_recovered(done: Any, scenario: str) -> None:
    """Passed in every phase, by the true cause and the repair that the diagnosis named; nothing wrong in the data."""
    report = done.report
    assert (done.code, report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert [phase["name"] for phase in report["phases"]] == [phase.value for phase in Phase]
    assert report["root_cause"] == CATALOG.truth(CATALOG.scenario(scenario)).root_cause
    assert set(report["repair"].values()) == {"passed"}
    assert report["data"]["acknowledged"] >= CATALOG.scenario(scenario).traffic.orders
    assert {report["data"][name] or 0 for name in WRONG} == {0}
    assert report["residue"] == []


@pytest.mark.parametrize(
    "scenario", [pytest.param(name, marks=pytest.mark.turn(name)) for part in PARTS for name in part]
)
def test_each_scenario_is_detected_diagnosed_repaired_and_verified(drill: Run, scenario: str) -> None:
    assert_recovered(drill(scenario), scenario)


def assert_turned_down(done: Any, wrong: WrongFix) -> None:
    """Failed, by a check that its scenario's truth names, and nothing of it is left."""
    print(wrong.id, "->", done.report["verdict"], done.report["reasons"])
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert turned_down_by(done.report, wrong.rejected_by), done.report["reasons"]
    assert done.report["residue"] == []


def test_one_wrong_fix_chosen_by_the_commit_is_turned_down_with_its_reason(drill: Run) -> None:
    wrong = chosen_by(commit())
    print("chosen by the commit:", wrong.id)
    # Less than the scenario's budget, and more than a true repair of these scenarios has taken.
    assert_turned_down(drill(wrong.scenario, "--fix", wrong.fix, "--recover-seconds", "45"), wrong)


@pytest.mark.proof
@pytest.mark.parametrize("wrong", WRONG_FIXES, ids=lambda wrong: wrong.id)
def test_a_wrong_fix_is_turned_down_with_its_reason(drill: Run, wrong: WrongFix) -> None:
    assert_turned_down(drill(wrong.scenario, "--fix", wrong.fix), wrong)


@pytest.mark.proof  # until it was green three times in a row
def test_whatever_the_commit_drills_every_drill_whose_parts_are_up_could_begin(
    whole_stack: Stack, lakeproof: Run
) -> None:
    """A check that a real engine refuses stops its drill at the baseline; two commits of three do not drill it."""
    assert lakeproof("up").code == 0
    await_health(lakeproof)
    up = {row.name for row in SupervisorClient(whole_stack).ps() if row.pid is not None}
    plans = [make_plan([scenario]) for scenario in CATALOG.played if up.issuperset(scenario.components)]
    judged: set[object] = set()
    broken = {}
    for plan in plans:
        # A claim about rows takes seconds, and is the same for many.
        checks = [
            each for each in bind(plan, CATALOG) if not each.check.judges_rows or repr(each.check) not in judged
        ]
        judged |= {repr(each.check) for each in checks}
        context = partial(
            CheckContext, whole_stack, components=plan.touches, alerts=plan.alerts, evidence=plan.evidence
        )
        for name, baseline in take_known_baselines(
            checks,
            lambda context=context: context(deadline=Deadline(CLAIM_SECONDS)),  # type: ignore[misc]
            print,
            CLAIM_SECONDS,
            may_change=lambda verdict: verdict.outcome is not Outcome.PASSED,
        ).items():
            if baseline.verdict.outcome is not Outcome.PASSED:
                broken[f"{plan.id} {name}"] = baseline.verdict.summary
    print(f"{len(plans)} drills could begin")
    assert {"connector-failure", "trino-backlog"} <= {plan.id for plan in plans}
    assert broken == {}


def test_the_stack_is_healthy_after_its_drills(lakeproof: Run) -> None:
    await_health(lakeproof)
