"""A component is stopped and stays stopped until somebody starts it."""

from lakeproof.arguments import OfComponent
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack


def inject(stack: Stack, arguments: OfComponent) -> None:
    """Stop the component, in a way that alerts take for an accident."""
    our_processes(stack, f"stop {arguments.component}").stop(arguments.component, watched=True)


def remove(stack: Stack, arguments: OfComponent) -> None:
    """Start the component, and see that it is healthy again; safe where it runs."""
    client = SupervisorClient(stack)
    if client.running():
        client.start(arguments.component)


def sign(stack: Stack, arguments: OfComponent) -> Sign:
    """No process of the component runs."""
    state = SupervisorClient(stack).row(arguments.component).state
    return Sign(state is State.STOPPED, f"{arguments.component} is {state.value}")


FAULT = Fault("stopped_process", "stop a component until somebody starts it", inject, remove, sign, OfComponent)
