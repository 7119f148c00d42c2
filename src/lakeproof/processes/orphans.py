"""Collects zombies that nobody waits for: the daemon is the subreaper of all its descendants."""

import ctypes
import os

from lakeproof.processes.procfs import ProcessId, ProcessStat

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """From now on orphans among our descendants become our children. Raises: OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class OrphanCollector:
    """Collects zombies that were there at two looks in a row.

    After one look a zombie may still belong to a thread that is about to wait for it: the thread that runs a
    component's `prepare` waits for each subprocess that it started.
    """

    def __init__(self) -> None:
        self._seen: set[ProcessId] = set()

    def look(self, table: dict[int, ProcessStat], ours: set[int]) -> int:
        """Look once. `ours`: pids whose exit a keeper waits for. Gives how many zombies were collected."""
        zombies = {
            stat.id
            for pid, stat in table.items()
            if stat.parent == os.getpid() and not stat.alive and pid not in ours
        }
        collected = 0
        for zombie in zombies & self._seen:
            try:
                os.waitpid(zombie.pid, os.WNOHANG)
                collected += 1
            except ChildProcessError:
                continue
        self._seen = zombies
        return collected
