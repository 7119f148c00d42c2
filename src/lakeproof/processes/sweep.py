"""The last resort: finds the processes that carry a stack's run id in their environment, and ends them.

The daemon's direct children die with it. Their own children, in sessions of their own, may not. Reading all of
/proc/*/environ takes a few milliseconds.
"""

import signal
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.processes import procfs
from lakeproof.processes.environment import COMPONENT, RUN_ID
from lakeproof.processes.signalling import send

POLITE_SECONDS = 3.0
KILL_SECONDS = 10.0


def find(owned: Callable[[str], bool], component: str | None = None) -> list[procfs.ProcessStat]:
    """Living processes whose run id is `owned`, of this component where one is given; never us or our parents."""
    return procfs.with_environment(
        lambda found: owned(found.get(RUN_ID, "")) and component in (None, found.get(COMPONENT))
    )


def describe(stat: procfs.ProcessStat) -> str:
    """A process for people: its component, pid and command."""
    component = procfs.read_environment(stat.id.pid).get(COMPONENT, "?")
    return f"{component} pid {stat.id.pid} ({procfs.command_line(stat.id.pid)})"


def sweep(owned: Callable[[str], bool]) -> list[str]:
    """End all processes whose run id is `owned`: SIGTERM, three seconds, then SIGKILL until none is left.

    Gives a description of each process that was found. Blocks, so only clients call it, never the daemon's loop.
    Raises: DeadlineExpired when a process cannot be killed.
    """
    found = find(owned)
    ended = [describe(stat) for stat in found]
    if not found:
        return []
    ids = [stat.id for stat in found]
    send(signal.SIGTERM, ids)
    send(signal.SIGCONT, ids)
    polite = Deadline(POLITE_SECONDS)
    while procfs.alive_among(ids) and not polite.expired:
        polite.pause(0.05)

    def none_left() -> bool | None:
        left = [stat.id for stat in find(owned)]
        send(signal.SIGKILL, left)
        return True if not left else None

    Deadline(KILL_SECONDS).wait_for("the sweep", none_left, every=0.05, seen=lambda: f"still running: {find(owned)}")
    return ended
