"""How much memory and processor time each component's whole process family uses."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from lakeproof.processes import procfs
from lakeproof.processes.procfs import ProcessId, ProcessStat


@dataclass
class Usage:
    """One component's use. `cpu_seconds` only grows, also across restarts; `cpu_percent` is of one core."""

    rss_bytes: int = 0
    cpu_percent: float = 0.0
    cpu_seconds: float = 0.0
    _seen: dict[ProcessId, float] = field(default_factory=dict)
    _at: float = 0.0

    def take(self, members: list[ProcessStat], now: float) -> None:
        """Add what one look at the component's processes saw, at `now` (monotonic seconds)."""
        used = sum(max(0.0, stat.cpu_seconds - self._seen.get(stat.id, 0.0)) for stat in members)
        if self._at and now > self._at:
            self.cpu_percent = round(100.0 * used / (now - self._at), 1)
        self.rss_bytes = sum(stat.rss_bytes for stat in members)
        self.cpu_seconds += used
        self._seen = {stat.id: stat.cpu_seconds for stat in members}
        self._at = now


class UsageTable:
    """The use of each component, brought up to date for all of them by one reading of /proc."""

    def __init__(self) -> None:
        self._uses: dict[str, Usage] = {}

    def look(self, leaders: Mapping[str, int | None]) -> dict[int, ProcessStat]:
        """Look at the families of these leaders (None: the component does not run). Gives the process table."""
        table = procfs.read_table()
        now = time.monotonic()
        for name, leader in leaders.items():
            members = [] if leader is None else [stat for stat in procfs.family(leader, table) if procfs.runs(stat)]
            self._uses.setdefault(name, Usage()).take(members, now)
        return table

    def of(self, name: str) -> Usage:
        """A component's use so far."""
        return self._uses.get(name, Usage())
