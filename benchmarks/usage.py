"""CPU and memory by component between two looks at the running stack, the supervisor itself among them.

The figures come from /proc, not from the sums that `ps` makes every two seconds. So a helper process that lives for
less than two seconds counts too: its parent has waited for it and carries its CPU time.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from lakeproof.deadline import Deadline
from lakeproof.processes import lock, procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class _Use:
    """One component's processes now. cpu_seconds: since they started; with their ended children (see `_use`)."""

    leader: procfs.ProcessId | None
    cpu_seconds: float
    rss_bytes: int


class Usage:
    """CPU and memory by component. The count begins when the object is made."""

    def __init__(self, stack: Stack) -> None:
        """Raises: CouldNotLook where no supervisor runs."""
        self._client = SupervisorClient(stack)
        self._at, self._before = time.monotonic(), self._look()

    def _look(self) -> Mapping[str, _Use]:
        leaders = {row.name: row.pid for row in self._client.ps() if row.pid is not None}
        table = procfs.read_table()
        families = {name: procfs.family(pid, table) for name, pid in leaders.items()}
        uses = {name: _use(table.get(leaders[name]), family, ended=True) for name, family in families.items()}
        if (holder := lock.living_holder(self._client.runtime)) is not None:
            daemon = holder.process.pid
            others = {each.id.pid for family in families.values() for each in family}
            own = [each for each in procfs.family(daemon, table) if each.id.pid not in others]
            # Components that ended were children of the supervisor: their CPU time is not the supervisor's own.
            uses[SUPERVISOR] = _use(table.get(daemon), own, ended=False)
        return uses

    def table(self) -> list[dict[str, Any]]:
        """One row per component, most CPU first, then the sum "all": percent of one core since the begin, MiB now.

        A component that was restarted meanwhile counts from its new start; its earlier CPU time is lost.
        """
        seconds, now = time.monotonic() - self._at, self._look()
        rows = []
        for name, use in now.items():
            before = self._before.get(name)
            used = use.cpu_seconds - (before.cpu_seconds if before and before.leader == use.leader else 0.0)
            rows.append((name, used / seconds * 100, use.rss_bytes / 2**20))
        rows.sort(key=lambda entry: -entry[1])
        rows.append(("all", sum(cpu for _, cpu, _ in rows), sum(mib for _, _, mib in rows)))
        return [{"component": name, "cpu_percent": round(cpu, 1), "rss_mib": round(mib)} for name, cpu, mib in rows]


def used_during(stack: Stack, seconds: float) -> tuple[list[dict[str, Any]], float, float]:
    """The rows of `Usage.table` over the next `seconds`, and when these began and ended (UNIX seconds)."""
    usage, began = Usage(stack), time.time()
    Deadline(seconds).pause(seconds)
    ended = time.time()
    return usage.table(), began, ended


def _use(leader: procfs.ProcessStat | None, family: list[procfs.ProcessStat], *, ended: bool) -> _Use:
    """The use of a family of processes. ended: add the CPU time of ended children that were waited for."""
    cpu = sum(each.cpu_seconds for each in family)
    if ended:
        cpu += sum(_ended_children_seconds(each.id.pid) for each in family)
    return _Use(leader.id if leader else None, cpu, sum(each.rss_bytes for each in family))


def _ended_children_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.children_user + times.children_system)
