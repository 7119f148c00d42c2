"""Take away the limit of processor time that a component is held to."""

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes import cpu_limit
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


class LiftCpuLimit(Arguments):
    """`component`: whose."""

    component: str = "flink-taskmanager"


def typed(stack: Stack, arguments: LiftCpuLimit) -> str:
    """For a limit of the kernel's, and for one that works by signals."""
    return (
        f"echo max > /sys/fs/cgroup/…/cpu.max; or end the process cpu_limit {arguments.component}, then "
        f"kill -CONT $(lakeproof ps --json | jq '.[] | select(.name==\"{arguments.component}\").pid')"
    )


def run(stack: Stack, arguments: LiftCpuLimit) -> str:
    """End what limits it, and have it go on; fine where nothing does."""
    our_processes(stack, f"lift the limit of {arguments.component}")
    lifted = cpu_limit.lift(stack, arguments.component)
    return f"{arguments.component} {'is limited no more' if lifted else 'had no limit; SIGCONT sent'}"


MITIGATION = Mitigation("lift_cpu_limit", "take a component's limit of processor time away", typed, run, LiftCpuLimit)
