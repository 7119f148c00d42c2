"""Let a component's processes go on that hang under SIGSTOP."""

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import Stack

HEALTHY_SECONDS = 30.0


def typed(stack: Stack, arguments: OfComponent) -> str:
    """The command reaches all processes of the component; `lakeproof ps` shows the pid of the first alone."""
    return f"lakeproof kill {arguments.component} --signal CONT"


def run(stack: Stack, arguments: OfComponent) -> str:
    """Send SIGCONT, and wait until a component that hung is healthy again; safe where nothing hangs.

    The wait is for the next step of the same repair: a component that still counts as hung cannot be started.
    """
    name, client = arguments.component, our_processes(stack, f"continue {arguments.component}")
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


MITIGATION = Mitigation("continue_process", "send SIGCONT to a component's processes", typed, run, OfComponent)
