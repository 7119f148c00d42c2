"""The TaskManager reaches the object store by a slow road; everybody else reaches the store as before.

A proxy that holds each request back stands on that road for the time of the fault, and the TaskManager is restarted
with its address. A checkpoint asks the store some dozen times, one request after the other, so the writers of the
lake's jobs wait, and the jobs take less out of Kafka than comes in.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.roads import build_road, end_roads, find_roads, listen, url_of
from lakeproof.lake.job.store_road import take_road
from lakeproof.probes.object_store import LATE_SECONDS, taskmanager_delay
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.stack import Stack

ROAD = "object-store"
LOOK_SECONDS = 10.0


class LateStore(Arguments):
    """`seconds`: how late each answer of the store is."""

    seconds: float = Field(1.0, gt=LATE_SECONDS, le=5)


def inject(stack: Stack, arguments: LateStore) -> None:
    """Start the proxy unless it is there, and restart the TaskManager with its address."""
    our_processes(stack, f"restart {TASKMANAGER}")
    url = next(iter(find_roads(stack, ROAD).values()), None)
    if url is None:
        with listen() as listening:
            url = url_of(listening)
            build_road(stack, ROAD, listening, stack.host_port("minio", "http"), arguments.seconds, TASKMANAGER)
    take_road(stack, TASKMANAGER, url)


def remove(stack: Stack, arguments: LateStore) -> None:
    """Restart the TaskManager with the stack's own address unless it has that, and end the proxy."""
    take_road(stack, TASKMANAGER, None)
    end_roads(find_roads(stack, ROAD))


def sign(stack: Stack, arguments: LateStore) -> Sign:
    """The store answers late at the TaskManager's address."""
    seen = taskmanager_delay(stack, LOOK_SECONDS)
    return Sign(float(str(seen)) > LATE_SECONDS, f"by {TASKMANAGER}'s address the store answers after {seen} s")


FAULT = Fault("late_store", "have the object store answer the TaskManager late", inject, remove, sign, LateStore)
