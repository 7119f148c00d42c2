"""Take away the limit of processor time that a component is held to."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes import cpu_limit
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


class LiftCpuLimit(Arguments):
    """`component`: the one whose limit is lifted."""

    component: str = "flink-taskmanager"


def typed(stack: Stack, arguments: LiftCpuLimit) -> str:
    """The limit works by signals; a container's own (cpu.max) is lifted where the container is run."""
    return f"end the process cpu_limit {arguments.component}, then lakeproof kill {arguments.component} --signal CONT"


def run(stack: Stack, arguments: LiftCpuLimit) -> str:
    """End the process that limits the component, and let the component go on.

    Raises: TerminalError where nothing limits it by signals: a container's limit is not lifted here.
    """
    our_processes(stack, f"lift the limit of {arguments.component}")
    if not cpu_limit.lift(stack, arguments.component):
        raise TerminalError(
            "nothing on this machine stops it by signals, so there was no limit to lift",
            where=arguments.component,
            next_action="look at cpu.max and cpu.stat of its container, and raise the limit where that is run",
        )
    return f"{arguments.component} is limited no more"


MITIGATION = Mitigation("lift_cpu_limit", "take a component's limit of processor time away", typed, run, LiftCpuLimit)
