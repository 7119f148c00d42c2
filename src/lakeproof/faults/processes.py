"""Faults of a component's processes."""

import time

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack


class StoppedProcess(OfComponent, Fault):
    """Stop a component until somebody starts it."""

    def inject(self, stack: Stack) -> None:
        """Stop the component, in a way that alerts take for an accident."""
        our_processes(stack, f"stop {self.component}").stop(self.component, watched=True)

    def remove(self, stack: Stack) -> None:
        """Start the component, and see that it is healthy again; safe where it runs."""
        client = SupervisorClient(stack)
        if client.running():
            client.start(self.component)

    def sign(self, stack: Stack) -> Sign:
        """No process of the component runs."""
        state = SupervisorClient(stack).row(self.component).state
        return Sign(state is State.STOPPED, f"{self.component} is {state.value}")


class HungProcess(Fault):
    """Stop a component's processes by SIGSTOP.

    `component`: the one whose processes are stopped.
    """

    component: str = "connect"

    def inject(self, stack: Stack) -> None:
        """Send SIGSTOP."""
        our_processes(stack, f"stop {self.component}").kill(self.component, "STOP")

    def remove(self, stack: Stack) -> None:
        """Send SIGCONT; safe where nothing hangs, or nothing runs."""
        SupervisorClient(stack).let_go_on(self.component)

    def sign(self, stack: Stack) -> Sign:
        """The component's process is there, and stopped by a signal."""
        state = SupervisorClient(stack).row(self.component).state
        return Sign(state is State.PAUSED, f"{self.component} is {state.value}")


# A process that is younger than this was started anew after the kill.
YOUNG_SECONDS = 30.0

GONE_SECONDS = 10.0


class KilledProcess(StoppedProcess):
    """Kill a component's processes by SIGKILL."""

    def inject(self, stack: Stack) -> None:
        """Send SIGKILL, and wait until the process is gone: its age alone may not tell it from the next one.

        Raises: DeadlineExpired where it lives on.
        """
        name, client = self.component, our_processes(stack, f"kill {self.component}")
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

    def sign(self, stack: Stack) -> Sign:
        """The old process is gone: there is none, or the one that runs is younger than the kill."""
        pid = SupervisorClient(stack).row(self.component).pid
        found = procfs.identify(pid) if pid is not None else None
        if found is None:
            return Sign(True, f"{self.component} has no process")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - found.start_ticks / procfs.TICKS_PER_SECOND
        return Sign(age < YOUNG_SECONDS, f"the process of {self.component} is {age:.0f} s old")
