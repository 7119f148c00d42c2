"""A component's processes are killed by SIGKILL. The supervisor starts it again, as a production one would."""

import time

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.stopped_process import remove
from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

# A process that is younger than this was started anew after the kill.
YOUNG_SECONDS = 30.0
GONE_SECONDS = 10.0


def inject(stack: Stack, arguments: OfComponent) -> None:
    """Send SIGKILL, and wait until the process is gone: its age alone may not tell it from the next one.

    Raises: DeadlineExpired where it lives on.
    """
    name, client = arguments.component, our_processes(stack, f"kill {arguments.component}")
    # Not `row`, which raises CouldNotLook for a component that never ran: `kill` refuses that one as wrong input.
    old = next((row.pid for row in client.ps() if row.name == name), None)
    client.kill(name, "KILL")
    Deadline(GONE_SECONDS).wait_for(
        f"process {old} of {name} to be gone",
        lambda: client.row(name).pid != old or None,
        every=0.05,
        seen=lambda: "it is there",
        unseen_is_not_yet=True,
    )


def sign(stack: Stack, arguments: OfComponent) -> Sign:
    """The old process is gone: there is none, or the one that runs is younger than the kill."""
    pid = SupervisorClient(stack).row(arguments.component).pid
    found = procfs.identify(pid) if pid is not None else None
    if found is None:
        return Sign(True, f"{arguments.component} has no process")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - found.start_ticks / procfs.TICKS_PER_SECOND
    return Sign(age < YOUNG_SECONDS, f"the process of {arguments.component} is {age:.0f} s old")


FAULT = Fault("killed_process", "kill a component's processes by SIGKILL", inject, remove, sign, OfComponent)
