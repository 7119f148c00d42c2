"""Questions to /proc about the TaskManager's processor time: how much it got, and how long it was kept from running.

Little processor time says nothing by itself: a job without work needs none. A process that a signal stops again and
again, and that goes on in between, is kept from running. A process that hangs is stopped all the while and gets no
time at all. The time tells the two apart; the share of looks does not, since a short run may fall between two looks.

A process that the kernel keeps from running (`cpu.max` of its cgroup) is never in that state: the counters of
cpu.stat tell of it. They count the whole cgroup, and where the whole stack runs in one small container they grow
although everything is well. So they are read only where the TaskManager's cgroup is not the supervisor's, its parent.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import CouldNotLook
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.processes import procfs, sweep
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.stack import Stack

# A limit works in periods of one second (processes/cpu_limit.py), longer ones where the supervisor is late. So a
# process that has not run at all within LOOK_SECONDS is looked at for LONGEST_SECONDS.
LOOK_SECONDS, LONGEST_SECONDS = 1.0, 1.8
SAMPLE_SECONDS = 0.01
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Share:
    """What was seen over LOOK_SECONDS, in percent. stopped: of the looks. cpu: of one core; 0.0 only where the
    process never ran. throttled: of the periods in which its cgroup wanted to run.
    """

    stopped: float
    cpu: float
    throttled: float


def _share(stack: Stack) -> Share | None:
    """What was seen of the largest TaskManager process here; None where there is none."""
    found = sweep.find(Runtime(stack).owns, TASKMANAGER)
    if not found:
        return None
    first = max(found, key=lambda stat: stat.rss_bytes)
    began, used, looks, stopped = time.monotonic(), procfs.cpu_seconds([first.id]), 0, 0
    took = cpu = 0.0
    periods, throttled = _periods(first)
    while took < LOOK_SECONDS or (took < LONGEST_SECONDS and stopped == looks and cpu == 0.0):
        stat = procfs.read_stat(first.id.pid)
        if stat is None or stat.id != first.id:
            return None
        looks, stopped = looks + 1, stopped + (stat.state == procfs.STOPPED)
        time.sleep(SAMPLE_SECONDS)
        took, cpu = time.monotonic() - began, max(0.0, procfs.cpu_seconds([first.id]) - used)
    periods, throttled = (now - then for now, then in zip(_periods(first), (periods, throttled), strict=True))
    return Share(
        round(100 * stopped / looks, 1),
        math.ceil(1000 * cpu / took) / 10,
        round(100 * throttled / periods, 1) if periods > 0 else 0.0,
    )


def _periods(stat: procfs.ProcessStat) -> tuple[int, int]:
    """So far, the periods in which its own cgroup (version 2) wanted to run, and those of them in which it was
    throttled; none without a cgroup of its own, or without a limit.
    """
    own, parents = _cgroup(stat.id.pid), _cgroup(stat.parent)
    if not own or parents in ("", own):
        return 0, 0
    try:
        told = (CGROUPS / own.lstrip("/") / "cpu.stat").read_text().split()
        counters = {name: int(value) for name, value in zip(told[::2], told[1::2], strict=True)}
    except (OSError, ValueError):
        return 0, 0
    return counters.get("nr_periods", 0), counters.get("nr_throttled", 0)


def _cgroup(pid: int) -> str:
    """The path of its cgroup of version 2; "" where that cannot be told."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")


def _look(stack: Stack) -> Share | None:
    return once(("starvation", str(stack.state_dir)), lambda: _share(stack))


def kept_from_running(stack: Stack, timeout: float) -> Value:
    """Percent of a second in which the TaskManager was stopped. Raises: CouldNotLook where it has no process here."""
    share = _look(stack)
    if share is None:
        raise CouldNotLook("it has no process on this machine", where=TASKMANAGER)
    return share.stopped


def cpu_share(stack: Stack, timeout: float) -> Value:
    """Percent of one core that the TaskManager got in this second; None where it has no process here."""
    share = _look(stack)
    return None if share is None else share.cpu


def throttled(stack: Stack, timeout: float) -> Value:
    """Percent of the periods in which the TaskManager's own cgroup was throttled; None without a process here."""
    share = _look(stack)
    return None if share is None else share.throttled


PROBES = (
    Probe(
        "taskmanager-stopped",
        TASKMANAGER,
        f"/proc/PID/stat, {LOOK_SECONDS:g} s long: share of looks in state {procfs.STOPPED}",
        "%",
        kept_from_running,
        # Without a healthy range: for a TaskManager on another machine there is no answer, and nothing is wrong.
    ),
    Probe(
        "taskmanager-throttled",
        TASKMANAGER,
        f"nr_throttled / nr_periods of its cgroup's cpu.stat, {LOOK_SECONDS:g} s long",
        "%",
        throttled,
    ),
    Probe("taskmanager-cpu", TASKMANAGER, f"its processor clock over {LOOK_SECONDS:g} s", "%", cpu_share),
)
