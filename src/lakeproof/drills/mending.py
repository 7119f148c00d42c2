"""The repair of one cause or of several at once: the steps of each, one after another."""

from collections.abc import Callable, Sequence

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.steps import StepDone, run_step
from lakeproof.drills.world import World
from lakeproof.scenarios.causes import Step


def mend(
    world: World,
    repairs: Sequence[Sequence[Step]],
    tell: Callable[[str], None],
    done: Callable[[StepDone], None],
) -> tuple[Outcome, str]:
    """Run the steps of each repair until one fails; `done` is told of each step. Passed where all repairs went well.

    Of several repairs, those that failed are tried once more after the others: a connector that is paused and also
    has a wrong password does not run before both are mended.
    """
    open_repairs = list(repairs)
    why: list[str] = []
    for _ in range(2 if len(open_repairs) > 1 else 1):
        failed = [(steps, reason) for steps in open_repairs if (reason := _run(world, steps, tell, done))]
        open_repairs, why = [steps for steps, _ in failed], [reason for _, reason in failed]
        if not open_repairs:
            return Outcome.PASSED, ""
    return Outcome.FAILED, "; ".join(why)


def _run(world: World, steps: Sequence[Step], tell: Callable[[str], None], done: Callable[[StepDone], None]) -> str:
    """What failed, "" where nothing did."""
    for step in steps:
        found = run_step(world.stack, world.catalog.steps, step, tell)
        done(found)
        if found.outcome is not Outcome.PASSED:
            return f"{step.id}: {found.text}"
    return ""
