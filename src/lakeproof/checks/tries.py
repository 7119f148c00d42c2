"""A question asked again where its answer was slow: a busy machine is slow once, and only a slow server each time."""

from collections.abc import Callable

from lakeproof.deadline import Deadline

TRIES = 5
PAUSE_SECONDS = 1.0


def ask_again[T](
    ask: Callable[[], T], is_slow: Callable[[T], bool], deadline: Deadline, tries: int = TRIES
) -> list[T]:
    """Ask until an answer is not slow, at most `tries` times; gives all answers, the newest last."""
    given = [ask()]
    while is_slow(given[-1]) and len(given) < tries and not deadline.expired:
        deadline.pause(PAUSE_SECONDS)
        given.append(ask())
    return given
