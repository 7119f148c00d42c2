"""CPU and memory by component between two looks at the supervisor."""

import time
from collections.abc import Mapping
from typing import Any

from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.stack.stack import Stack


class Usage:
    """Starts to count when made."""

    def __init__(self, stack: Stack) -> None:
        """Raises: CouldNotLook where no supervisor runs."""
        self._client = SupervisorClient(stack)
        self._at, self._before = time.monotonic(), self._rows()

    def _rows(self) -> Mapping[str, ProcessRow]:
        return {row.name: row for row in self._client.ps() if row.pid is not None}

    def table(self) -> list[dict[str, Any]]:
        """Per component, most CPU first, and the sum: percent of one core since the start, MiB now."""
        seconds, now = time.monotonic() - self._at, self._rows()
        rows = []
        for name, row in now.items():
            before = self._before.get(name)
            used = row.cpu_seconds - (before.cpu_seconds if before and before.pid == row.pid else 0.0)
            rows.append((name, used / seconds * 100, row.rss_bytes / 2**20))
        rows.sort(key=lambda entry: -entry[1])
        rows.append(("all", sum(cpu for _, cpu, _ in rows), sum(mib for _, _, mib in rows)))
        return [{"component": name, "cpu_percent": round(cpu, 1), "rss_mib": round(mib)} for name, cpu, mib in rows]
