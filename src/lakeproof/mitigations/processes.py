"""Repairs of a component's processes."""

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import Stack

HEALTHY_SECONDS = 30.0


class ContinueProcess(OfComponent, Mitigation):
    """Send SIGCONT to a component's processes."""

    def typed(self, stack: Stack) -> str:
        """The command reaches all processes of the component; `lakeproof ps` shows the pid of the first alone."""
        return f"lakeproof kill {self.component} --signal CONT"

    def run(self, stack: Stack) -> str:
        """Send SIGCONT, and wait until a component that hung is healthy again; safe where nothing hangs.

        The wait is for the next step of the same repair: a component that still counts as hung cannot be started.
        """
        name, client = self.component, our_processes(stack, f"continue {self.component}")
        hung = client.row(name).state is State.PAUSED
        told = f"SIGCONT sent to {client.kill(name, 'CONT')} processes of {name}"
        if not hung:
            return told
        try:
            Deadline(HEALTHY_SECONDS).wait_for(
                f"{name} to be healthy", lambda: client.row(name).health is Health.HEALTHY or None, every=0.2
            )
        except DeadlineExpired:
            return f"{told}; it is not healthy {HEALTHY_SECONDS:g} s later"
        return f"{told}; it is healthy again"


class RestartComponent(OfComponent, Mitigation):
    """Stop a component and start it again."""

    def typed(self, stack: Stack) -> str:
        """The same by hand. `up` leaves it the variables of its last start; `start` would give it those of this
        shell.
        """
        return f"lakeproof stop {self.component}; lakeproof up {self.component}"

    def run(self, stack: Stack) -> str:
        """Stop the component, start it with what it needs, and return once it is healthy."""
        our_processes(stack, f"restart {self.component}").restart(self.component)
        return f"restarted: {self.component}"


class StartComponent(OfComponent, Mitigation):
    """Start a component that does not run."""

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof up {self.component}"

    def run(self, stack: Stack) -> str:
        """Start the component and return once it is healthy; safe where it runs."""
        started = our_processes(stack, f"start {self.component}").start(self.component)
        return f"started: {', '.join(started) or 'nothing, it runs'}"
