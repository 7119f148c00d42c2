"""A component's processes are killed by SIGKILL. The supervisor starts it again, as a production one would."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


class KilledProcess(Arguments):
    """`component`: whose processes."""

    component: str


def inject(stack: Stack, arguments: KilledProcess) -> None:
    """Send SIGKILL."""
    our_processes(stack, f"kill {arguments.component}").kill(arguments.component, "KILL")


def remove(stack: Stack, arguments: KilledProcess) -> None:
    """See that it is healthy again; fine where it is."""
    client = SupervisorClient(stack)
    if client.running():
        client.start(arguments.component)


FAULT = Fault("killed_process", "kill a component's processes by SIGKILL", inject, remove, KilledProcess)
