"""Faults of the scenario kafka-backlog."""

from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.roads import build_road, end_roads, find_roads, listen, url_of
from lakeproof.lake.job.store_road import take_road
from lakeproof.probes.object_store import LATE_SECONDS, taskmanager_delay
from lakeproof.processes import cpu_limit
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.stack import Stack

ROAD = "object-store"

STORE_LOOK_SECONDS = 10.0


class LateStore(Fault):
    """Have the object store answer the TaskManager late.

    The TaskManager reaches the object store by a slow road; everybody else reaches the store as before.

    A proxy that holds each request back stands on that road for the time of the fault, and the TaskManager is
    restarted with its address. A checkpoint asks the store some dozen times, one request after the other, so the
    writers of the lake's jobs wait, and the jobs take less out of Kafka than comes in.

    `seconds`: how late each answer of the store is.
    """

    seconds: float = Field(1.0, gt=LATE_SECONDS, le=5)

    def inject(self, stack: Stack) -> None:
        """Start the proxy unless it is there, and restart the TaskManager with its address."""
        our_processes(stack, f"restart {TASKMANAGER}")
        url = next(iter(find_roads(stack, ROAD).values()), None)
        if url is None:
            with listen() as listening:
                url = url_of(listening)
                build_road(stack, ROAD, listening, stack.host_port("minio", "http"), self.seconds, TASKMANAGER)
        take_road(stack, TASKMANAGER, url)

    def remove(self, stack: Stack) -> None:
        """Restart the TaskManager with the stack's own address unless it has that, and end the proxy."""
        take_road(stack, TASKMANAGER, None)
        end_roads(find_roads(stack, ROAD))

    def sign(self, stack: Stack) -> Sign:
        """The store answers late at the TaskManager's address."""
        seen = taskmanager_delay(stack, STORE_LOOK_SECONDS)
        return Sign(float(str(seen)) > LATE_SECONDS, f"by {TASKMANAGER}'s address the store answers after {seen} s")


LOOK_SECONDS = 2.0

# The component may use this much more than twice its share. Its clock counts in hundredths of a second, each of them
# half a percent of the look's time, and the limit takes effect some hundredths late.
CLOCK_PERCENT = 2.0


class StarvedProcess(Fault):
    """Leave a component next to no processor time.

    `component`: the starved one. `percent`: how much of one core it gets.
    """

    component: str = "flink-taskmanager"
    percent: float = Field(2.0, gt=0, le=100)

    def inject(self, stack: Stack) -> None:
        """Limit the component."""
        row = our_processes(stack, f"starve {self.component}").row(self.component)
        if row.pid is None:
            raise TerminalError(
                "it has no process", where=self.component, next_action=f"lakeproof up {self.component}"
            )
        cpu_limit.limit(stack, self.component, self.percent)

    def remove(self, stack: Stack) -> None:
        """Lift the limit; safe where there is none, or where the process that kept it was killed."""
        cpu_limit.lift(stack, self.component)

    def sign(self, stack: Stack) -> Sign:
        """The component is limited, and used hardly more than twice its share in two seconds. An idle one uses
        less.
        """
        before = SupervisorClient(stack).row(self.component)
        Deadline(LOOK_SECONDS).pause(LOOK_SECONDS)
        now = SupervisorClient(stack).row(self.component)
        got = 100 * (now.cpu_seconds - before.cpu_seconds) / LOOK_SECONDS
        little = got <= 2 * self.percent + CLOCK_PERCENT
        holds = cpu_limit.limited(stack, self.component) and now.pid == before.pid and little
        return Sign(holds, f"{self.component} got {got:.1f} % of a core in {LOOK_SECONDS:g} s")
