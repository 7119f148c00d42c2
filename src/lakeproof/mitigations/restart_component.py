"""Stop a component and start it again: for one that answers, is not well, and whose needs are."""

from lakeproof.arguments import OfComponent
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfComponent) -> str:
    """The same by hand. `up` leaves it the variables of its last start; `start` would give it those of this shell."""
    return f"lakeproof stop {arguments.component}; lakeproof up {arguments.component}"


def run(stack: Stack, arguments: OfComponent) -> str:
    """Stop the component, start it with what it needs, and return once it is healthy."""
    our_processes(stack, f"restart {arguments.component}").restart(arguments.component)
    return f"restarted: {arguments.component}"


MITIGATION = Mitigation("restart_component", "stop a component and start it again", typed, run, OfComponent)
