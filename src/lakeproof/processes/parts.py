"""Which components are part of a stack, so that one which nobody wanted up is not called down.

Here: all that were ever wanted since the supervisor started, those stopped by hand too; without a supervisor, all
that `up` means. Of a stack that somebody else runs: those that have an endpoint in the settings.
"""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow

from lakeproof.errors import LakeproofError
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

ASK_SECONDS = 2.0


def absent_components(stack: Stack) -> frozenset[str]:
    """The names of those that are not part of it, but for those on demand. Takes at most ASK_SECONDS."""
    wanted = frozenset(name for name, one in all_components().items() if not one.on_demand)
    return wanted - _present(stack, wanted)


def _present(stack: Stack, wanted: frozenset[str]) -> frozenset[str]:
    if stack.settings.mode == "external":
        return frozenset(stack.settings.endpoints)
    plain = frozenset(name for name in wanted if all_components()[name].in_plain_up)
    client = SupervisorClient(stack)
    if not client.running():
        return plain
    pool = ThreadPoolExecutor(1, thread_name_prefix="membership")
    try:
        return frozenset(row.name for row in pool.submit(client.ps).result(timeout=ASK_SECONDS))
    except (LakeproofError, TooSlow):
        # A supervisor that hangs must not hide what else is wrong.
        return plain
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
