"""A limit on the processor time of a component, like a container's: a share of one core, counted anew each second.

The limit uses signals. The kernel's own limits (cgroups) cannot be written on every machine, and are neither read nor
written here. A detached process, `python -m lakeproof.processes.cpu_limit COMPONENT PERCENT`, lets the component run
until it has used the second's share, and then stops it until the next second. It follows the component through
restarts. A process that has not been healthy yet runs without the limit: a JVM that starts at a twentieth of its pace
never becomes ready.
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
# The component may be stopped while the supervisor is asked, so the supervisor gets little time to answer.
ANSWER_SECONDS = 0.3
# A stack in whose `ps` the component has not been seen for this long counts as taken down, and the limit ends.
GONE_SECONDS = 120.0


def _name(component: str) -> str:
    return f"cpu_limit {component}"


def limited(stack: Stack, component: str) -> bool:
    """True while a limit process of this component runs."""
    return bool(detached.find(stack, _name(component)))


def limit(stack: Stack, component: str, percent: float) -> None:
    """Limit the component to `percent` of one core. A limit that it already has stays. Raises: TerminalError."""
    detached.start(stack, _name(component), "lakeproof.processes.cpu_limit", component, str(percent))


def lift(stack: Stack, component: str) -> bool:
    """Take the limit away and wake the component; False where it had no limit and none of its processes was stopped.

    A limit process that was killed may have left the component stopped; it is woken too. Raises: DeadlineExpired.
    """
    ended = detached.end(stack, _name(component))
    stopped = any(stat.state == procfs.STOPPED for stat in sweep.find(Runtime(stack).owns, component))
    SupervisorClient(stack).let_go_on(component)
    return bool(ended) or stopped


class _Limit:
    """The limit at work. `_leader`: the pid of the process that was healthy once and has been limited since."""

    def __init__(self, stack: Stack, component: str, percent: float) -> None:
        self._client, self._component = SupervisorClient(stack), component
        self._budget = percent / 100 * PERIOD_SECONDS
        self._leader: int | None = None
        self._members: Sequence[ProcessId] = ()
        self._seen = time.monotonic()

    def run(self) -> None:
        """Limit the component until the stack is gone or SIGTERM arrives. The component then goes on."""
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
        """Find the component's processes. Where the supervisor does not answer, those of the last look stay."""
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
