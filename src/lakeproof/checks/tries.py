"""A question asked again: where its answer was slow, or where a claim does not hold yet."""

from collections.abc import Callable

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline

TRIES = 5
PAUSE_SECONDS, LOOK_SECONDS = 1.0, 2.0


def ask_again[T](
    ask: Callable[[], T], is_slow: Callable[[T], bool], deadline: Deadline, tries: int = TRIES
) -> list[T]:
    """Ask until an answer is not slow, at most `tries` times; gives all answers, the newest last. A busy machine is
    slow once, and only a slow server each time.
    """
    given = [ask()]
    while is_slow(given[-1]) and len(given) < tries and not deadline.expired:
        deadline.pause(PAUSE_SECONDS)
        given.append(ask())
    return given


def look_until_passed(context: CheckContext, seconds: float, what: str, look: Callable[[], Verdict]) -> Verdict:
    """Look until the claim holds, for at most `seconds` and the phase's own time; gives the last look's verdict."""
    deadline = Deadline(min(seconds, context.deadline.left))
    while True:
        verdict = look()
        if verdict.outcome is Outcome.PASSED or deadline.expired:
            return verdict
        context.progress(f"{what}: {verdict.summary}; looking again")
        deadline.pause(LOOK_SECONDS)
