"""Calls side by side, none of which still runs once their results are asked for."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Executor, wait


def in_parallel[Of, Result](executor: Executor, call: Callable[[Of], Result], over: Iterable[Of]) -> list[Result]:
    """The results in the order of `over`. Raises: what a call raised, once every call that had begun is over.

    Executor.map raises while the others still run: the next round would then work on the same tables beside them.
    """
    calls = [executor.submit(call, each) for each in over]
    wait(calls, return_when=FIRST_EXCEPTION)
    for each in calls:
        each.cancel()  # what has not begun; it is after the one that failed, so its result is not reached below
    wait(calls)
    return [each.result() for each in calls]
