"""A component's processes are stopped by SIGSTOP: its port still accepts, and nothing answers."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack


class HungProcess(Arguments):
    """`component`: the one whose processes are stopped."""

    component: str = "connect"


def inject(stack: Stack, arguments: HungProcess) -> None:
    """Send SIGSTOP."""
    our_processes(stack, f"stop {arguments.component}").kill(arguments.component, "STOP")


def remove(stack: Stack, arguments: HungProcess) -> None:
    """Send SIGCONT; safe where nothing hangs, or nothing runs."""
    SupervisorClient(stack).let_go_on(arguments.component)


def sign(stack: Stack, arguments: HungProcess) -> Sign:
    """The component's process is there, and stopped by a signal."""
    state = SupervisorClient(stack).row(arguments.component).state
    return Sign(state is State.PAUSED, f"{arguments.component} is {state.value}")


FAULT = Fault("hung_process", "stop a component's processes by SIGSTOP", inject, remove, sign, HungProcess)
