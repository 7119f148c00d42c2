"""Start a component that does not run, with what it needs."""

from lakeproof.arguments import OfComponent
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfComponent) -> str:
    """The same by hand."""
    return f"lakeproof up {arguments.component}"


def run(stack: Stack, arguments: OfComponent) -> str:
    """Start the component and return once it is healthy; safe where it runs."""
    started = our_processes(stack, f"start {arguments.component}").start(arguments.component)
    return f"started: {', '.join(started) or 'nothing, it runs'}"


MITIGATION = Mitigation("start_component", "start a component that does not run", typed, run, OfComponent)
