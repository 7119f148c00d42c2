"""Questions to /proc about the TaskManager's processor time: how much it got, and how long it was kept from running.

Little time got says nothing by itself: a job without work needs none. A process that is stopped again and again by a
signal, and goes on again, is kept from running. One that hangs is stopped all the while.

A process that the kernel keeps from running (`cpu.max` of a container's cgroup) is never in that state, so that such
a limit is not told here. Its counter, `nr_throttled` of cpu.stat, counts the whole cgroup: where the whole stack runs
in one small container it grows although everything is well.
"""

import time
from dataclasses import dataclass

from lakeproof.errors import CouldNotLook
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.processes import procfs, sweep
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.stack import Stack

TASKMANAGER = "flink-taskmanager"
# A whole period of a limit by the second (processes/cpu_limit.py).
LOOK_SECONDS = 1.0
SAMPLE_SECONDS = 0.01


@dataclass(frozen=True)
class Share:
    """Over LOOK_SECONDS, in percent. stopped: of the time. cpu: of one core."""

    stopped: float
    cpu: float


def _share(stack: Stack) -> Share | None:
    """Of the TaskManager that is the largest here; None where none has a process here."""
    found = sweep.find(Runtime(stack).owns, TASKMANAGER)
    if not found:
        return None
    first = max(found, key=lambda stat: stat.rss_bytes)
    began, looks, stopped, last = time.monotonic(), 0, 0, first
    while time.monotonic() - began < LOOK_SECONDS:
        stat = procfs.read_stat(first.id.pid)
        if stat is None or stat.id != first.id:
            return None
        looks, stopped, last = looks + 1, stopped + (stat.state == procfs.STOPPED), stat
        time.sleep(SAMPLE_SECONDS)
    took = time.monotonic() - began
    return Share(round(100 * stopped / looks, 1), round(100 * (last.cpu_seconds - first.cpu_seconds) / took, 1))


def _look(stack: Stack) -> Share | None:
    return once(("starvation", str(stack.state_dir)), lambda: _share(stack))


def kept_from_running(stack: Stack, timeout: float) -> Value:
    """Percent of a second in which it was stopped. Raises: CouldNotLook where it has no process here."""
    share = _look(stack)
    if share is None:
        raise CouldNotLook("it has no process on this machine", where=TASKMANAGER)
    return share.stopped


def cpu_share(stack: Stack, timeout: float) -> Value:
    """Percent of one core that it got in this second; None where it has no process here."""
    share = _look(stack)
    return None if share is None else share.cpu


PROBES = (
    Probe(
        "taskmanager-stopped",
        TASKMANAGER,
        f"/proc/PID/stat, {LOOK_SECONDS:g} s long: share of looks in state {procfs.STOPPED}",
        "%",
        kept_from_running,
        # Without a healthy range: somebody else's TaskManager, on another machine, is none the worse for it.
    ),
    Probe("taskmanager-cpu", TASKMANAGER, f"/proc/PID/stat: utime + stime over {LOOK_SECONDS:g} s", "%", cpu_share),
)
