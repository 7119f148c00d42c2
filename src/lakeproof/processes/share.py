"""Lowers the priority of a component's processes, so that its share of busy processors is smaller."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from lakeproof.processes.procfs import ProcessStat


def step_back(processes: Iterable[ProcessStat], nice: int) -> bool:
    """Lower the priority of these processes by `nice`, as nice(1) counts. False: call again.

    Where the kernel shares the processors between sessions (sched_autogroup(7)), nice counts within one session only,
    so the session's own nice value is set as well. The kernel accepts one change of that value each 0.1 s from a user
    who is not root. A change that is not permitted is skipped: a full share does no harm.
    """
    processes = list(processes)
    level = min(19, os.getpriority(os.PRIO_PROCESS, 0) + nice)
    for process in processes:
        for thread in _threads(process.id.pid):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, level)
    for session in {process.session for process in processes}:
        try:
            Path(f"/proc/{session}/autogroup").write_text(str(nice), encoding="ascii")
        except BlockingIOError:
            return False
        except OSError:
            continue
    return True


def _threads(pid: int) -> list[int]:
    try:
        return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
