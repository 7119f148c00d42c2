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
# The component may use this much more than twice its share. Its clock counts in hundredths of a second, each of them
# half a percent of the look's time, and the limit takes effect some hundredths late.
CLOCK_PERCENT = 2.0


class StarvedProcess(Arguments):
    """`component`: the starved one. `percent`: how much of one core it gets."""

    component: str = "flink-taskmanager"
    percent: float = Field(2.0, gt=0, le=100)


def inject(stack: Stack, arguments: StarvedProcess) -> None:
    """Limit the component."""
    row = our_processes(stack, f"starve {arguments.component}").row(arguments.component)
    if row.pid is None:
        raise TerminalError(
            "it has no process", where=arguments.component, next_action=f"lakeproof up {arguments.component}"
        )
    cpu_limit.limit(stack, arguments.component, arguments.percent)


def remove(stack: Stack, arguments: StarvedProcess) -> None:
    """Lift the limit; safe where there is none, or where the process that kept it was killed."""
    cpu_limit.lift(stack, arguments.component)


def sign(stack: Stack, arguments: StarvedProcess) -> Sign:
    """The component is limited, and used hardly more than twice its share in two seconds. An idle one uses less."""
    before = SupervisorClient(stack).row(arguments.component)
    Deadline(LOOK_SECONDS).pause(LOOK_SECONDS)
    now = SupervisorClient(stack).row(arguments.component)
    got = 100 * (now.cpu_seconds - before.cpu_seconds) / LOOK_SECONDS
    little = got <= 2 * arguments.percent + CLOCK_PERCENT
    holds = cpu_limit.limited(stack, arguments.component) and now.pid == before.pid and little
    return Sign(holds, f"{arguments.component} got {got:.1f} % of a core in {LOOK_SECONDS:g} s")


FAULT = Fault("starved_process", "leave a component next to no processor time", inject, remove, sign, StarvedProcess)
