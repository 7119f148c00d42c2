"""The moments after a start: until the quick claims hold, and until every claim can be looked at."""

from collections.abc import Callable, Mapping, Sequence

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, worst
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import BoundCheck, take_baselines
from lakeproof.errors import DeadlineExpired

SETTLE_SECONDS = 90.0
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 3.0


def _say_nothing(text: str) -> None:
    """Looks that are only waited for are not told."""


def await_calm(checks: Sequence[BoundCheck], context: CheckContext) -> bool:
    """Wait until the checks that are quick to ask hold; False where they do not before the context's deadline."""
    watched = [each for each in checks if each.check.watched]

    def look() -> bool | None:
        taken = take_baselines(watched, context, _say_nothing)
        return True if worst([each.verdict for each in taken.values()]) is Outcome.PASSED else None

    if not watched:
        return True
    try:
        return context.deadline.wait_for("the stack to be calm", look, every=LOOK_SECONDS)
    except DeadlineExpired:
        return False


def take_known_baselines(
    checks: Sequence[BoundCheck], context: Callable[[], CheckContext], tell: Callable[[str], None], seconds: float
) -> Mapping[str, Baseline]:
    """Every check's baseline. What cannot be looked at yet is asked again: a new lake has nothing published.

    `context` makes a new one for each round; after `seconds` no round is begun any more.
    """
    taken = dict(take_baselines(checks, context(), tell))
    patience = Deadline(seconds)
    while not patience.expired:
        unknown = [each for each in checks if taken[each.name].verdict.outcome is Outcome.UNKNOWN]
        if not unknown:
            break
        patience.pause(AGAIN_SECONDS)
        taken |= take_baselines(unknown, context(), tell)
    return taken
