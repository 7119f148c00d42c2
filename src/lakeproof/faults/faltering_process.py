"""A component's processes are stopped by SIGSTOP for a moment, again and again, and go on by themselves each time.

A question to the component meanwhile is answered late. A process beside the component stops and continues it:
`python -m lakeproof.faults.faltering_process COMPONENT SECONDS EVERY`.
"""

import signal
import sys
import time

from pydantic import Field

from lakeproof.arguments import OfComponent
from lakeproof.errors import LakeproofError, TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import detached, procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.signalling import send
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import Stack, load_stack

# A stack that has had no supervisor for this long was taken down, and the faltering ends with it.
GONE_SECONDS = 120.0


class FalteringProcess(OfComponent, Fault):
    """Stop a component's processes for a moment, again and again.

    A component's processes are stopped by SIGSTOP for a moment, again and again, and go on by themselves each time.

    A question to the component meanwhile is answered late. A process beside the component stops and continues it:
    `python -m lakeproof.faults.faltering_process COMPONENT SECONDS EVERY`.

    `component`: whose processes. `seconds`: how long they stand still, once in `every` seconds.
    """

    seconds: float = Field(2.0, ge=0.5, le=3)
    every: float = Field(10.0, ge=5, le=15)

    def inject(self, stack: Stack) -> None:
        """Have the component falter from now on; safe where it does. Raises: TerminalError where it has no
        process.
        """
        component = self.component
        if our_processes(stack, f"stop {component}").row(component).pid is None:
            raise TerminalError("it has no process", where=component, next_action=f"lakeproof up {component}")
        given = (component, str(self.seconds), str(self.every))
        detached.start(stack, _name(component), "lakeproof.faults.faltering_process", *given)

    def remove(self, stack: Stack) -> None:
        """End the faltering, and let the component go on; safe where it does, or the stopping process was killed."""
        detached.end(stack, _name(self.component))
        SupervisorClient(stack).let_go_on(self.component)

    def sign(self, stack: Stack) -> Sign:
        """The component stands still at this moment, and the process is there that will have it go on."""
        state = SupervisorClient(stack).row(self.component).state
        falters = bool(detached.find(stack, _name(self.component)))
        told = f"{self.component} is {state.value}, {'and will go on' if falters else 'by nothing of this fault'}"
        return Sign(falters and state is State.PAUSED, told)


def _name(component: str) -> str:
    return f"faltering_process {component}"


def falter(stack: Stack, component: str, seconds: float, every: float) -> None:
    """Stop the component and let it go on, until the stack is gone, or SIGTERM. At the end the component goes on.

    A process that is not healthy yet is left alone.
    """
    client, seen, members = SupervisorClient(stack), time.monotonic(), list[procfs.ProcessId]()
    try:
        while time.monotonic() - seen < GONE_SECONDS:
            members = []
            try:
                row = client.row(component)
            except (LakeproofError, OSError):
                pass
            else:
                seen = time.monotonic()
                if row.pid is not None and row.health is Health.HEALTHY:
                    family = procfs.family(row.pid, procfs.read_table())
                    members = [stat.id for stat in family if procfs.runs(stat)]
            send(signal.SIGSTOP, members)
            time.sleep(seconds)
            send(signal.SIGCONT, members)
            time.sleep(every - seconds)
    finally:
        send(signal.SIGCONT, members)


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detached.detach()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    falter(stack_of_caller, sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
