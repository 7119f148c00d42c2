"""A limit of the processor time that a component gets, as a container's is: so much of one core, each second anew.

It works by signals, for the kernel's own limits (cgroups) are not ours to write on every machine, and are neither
read nor written here: a detached process lets the component run until the second's share is used up, and stops it
until the next second. What runs it:
`python -m lakeproof.processes.cpu_limit COMPONENT PERCENT`. It follows the component through restarts. A process that
has not been healthy yet runs without the limit, for a JVM that starts at a twentieth of its pace never does.
"""

import signal
import sys
import time
from collections.abc import Sequence

from lakeproof.errors import LakeproofError
from lakeproof.processes import detached, procfs, sweep
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.procfs import ProcessId, cpu_seconds
from lakeproof.processes.runtime import Runtime
from lakeproof.processes.signalling import send
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack, load_stack

PERIOD_SECONDS = 1.0
LOOK_SECONDS = 0.002
# The component stands still while the supervisor is asked, so that may not take long.
ANSWER_SECONDS = 0.3
# A stack without a supervisor for so long has been taken down, and the limit ends with it.
GONE_SECONDS = 120.0


def _name(component: str) -> str:
    return f"cpu_limit {component}"


def limited(stack: Stack, component: str) -> bool:
    """True while the component has such a limit."""
    return bool(detached.find(stack, _name(component)))


def limit(stack: Stack, component: str, percent: float) -> None:
    """Let the component have so many percent of one core; fine where it has a limit. Raises: TerminalError."""
    detached.start(stack, _name(component), "lakeproof.processes.cpu_limit", component, str(percent))


def lift(stack: Stack, component: str) -> bool:
    """Take the limit away, and have the component go on; False where it had none, and nothing of it was stopped.

    Where the limit was killed, what that left stopped goes on. Raises: DeadlineExpired.
    """
    ended = detached.end(stack, _name(component))
    stopped = any(stat.state == procfs.STOPPED for stat in sweep.find(Runtime(stack).owns, component))
    SupervisorClient(stack).let_go_on(component)
    return bool(ended) or stopped


class _Limit:
    """The limit at work. `leader`: whose process was healthy once, and is limited since."""

    def __init__(self, stack: Stack, component: str, percent: float) -> None:
        self._client, self._component = SupervisorClient(stack), component
        self._budget = percent / 100 * PERIOD_SECONDS
        self._leader: int | None = None
        self._members: Sequence[ProcessId] = ()
        self._seen = time.monotonic()

    def run(self) -> None:
        """Until the stack is gone, or SIGTERM. Whatever ends it, the component goes on."""
        try:
            while time.monotonic() - self._seen < GONE_SECONDS:
                self._look()
                began, used = time.monotonic(), cpu_seconds(self._members)
                send(signal.SIGCONT, self._members)
                while (left := began + PERIOD_SECONDS - time.monotonic()) > 0:
                    if self._members and cpu_seconds(self._members) - used >= self._budget:
                        send(signal.SIGSTOP, self._members)
                        time.sleep(left)
                        break
                    time.sleep(min(left, LOOK_SECONDS if self._members else PERIOD_SECONDS))
        finally:
            send(signal.SIGCONT, self._members)

    def _look(self) -> None:
        """Who belongs to the component now. Without an answer it stays as it was."""
        try:
            row = next((row for row in self._client.ps(ANSWER_SECONDS) if row.name == self._component), None)
        except (LakeproofError, OSError):
            return
        if row is None:
            return
        self._seen = time.monotonic()
        if row.health is Health.HEALTHY:
            self._leader = row.pid
        self._members = ()
        if row.pid is not None and row.pid == self._leader:
            family = procfs.family(row.pid, procfs.read_table())
            self._members = [stat.id for stat in family if procfs.runs(stat)]


if __name__ == "__main__":
    work = _Limit(load_stack(), sys.argv[1], float(sys.argv[2]))
    detached.detach()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    work.run()
