"""Makes calls side by side, and returns only once none of them runs any more."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Executor, wait


def in_parallel[Of, Result](executor: Executor, call: Callable[[Of], Result], over: Iterable[Of]) -> list[Result]:
    """The results in the order of `over`. Raises: what a call raised, once every call that had begun is over.

    Executor.map raises while other calls still run: the next round would then work on the same tables beside them.
    """
    calls = [executor.submit(call, each) for each in over]
    wait(calls, return_when=FIRST_EXCEPTION)
    for each in calls:
        each.cancel()  # only a call that has not begun; it follows the failed one, whose result raises before below
    wait(calls)
    return [each.result() for each in calls]
