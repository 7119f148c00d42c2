"""A component gets next to no processor time: a container's limit that is far too low."""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import cpu_limit
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 2.0
# It may have used so much more than twice its share: its clock counts in hundredths of a second, each of them half a
# percent of the look's time, and the limit is noticed some of them late.
CLOCK_PERCENT = 2.0


class StarvedProcess(Arguments):
    """`component`: whose. `percent`: so much of one core it gets."""

    component: str = "flink-taskmanager"
    percent: float = Field(2.0, gt=0, le=100)


def inject(stack: Stack, arguments: StarvedProcess) -> None:
    """Limit it."""
    row = our_processes(stack, f"starve {arguments.component}").row(arguments.component)
    if row.pid is None:
        raise TerminalError(
            "it has no process", where=arguments.component, next_action=f"lakeproof up {arguments.component}"
        )
    cpu_limit.limit(stack, arguments.component, arguments.percent)


def remove(stack: Stack, arguments: StarvedProcess) -> None:
    """Lift the limit; fine where there is none, or the process that kept it was killed."""
    cpu_limit.lift(stack, arguments.component)


def sign(stack: Stack, arguments: StarvedProcess) -> Sign:
    """It is limited, and used hardly more than twice its share in two seconds. One that has no work uses less."""
    before = SupervisorClient(stack).row(arguments.component)
    Deadline(LOOK_SECONDS).pause(LOOK_SECONDS)
    now = SupervisorClient(stack).row(arguments.component)
    got = 100 * (now.cpu_seconds - before.cpu_seconds) / LOOK_SECONDS
    little = got <= 2 * arguments.percent + CLOCK_PERCENT
    holds = cpu_limit.limited(stack, arguments.component) and now.pid == before.pid and little
    return Sign(holds, f"{arguments.component} got {got:.1f} % of a core in {LOOK_SECONDS:g} s")


FAULT = Fault("starved_process", "leave a component next to no processor time", inject, remove, sign, StarvedProcess)
