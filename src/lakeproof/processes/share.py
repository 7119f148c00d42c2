"""How large a component's share of the processors is beside the others'."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from lakeproof.processes.procfs import ProcessStat


def step_back(processes: Iterable[ProcessStat], nice: int) -> bool:
    """Lower the priority of these processes by `nice`, as nice(1) counts. False: call again.

    Where the kernel shares the processors between sessions (sched_autogroup(7)), nice counts within one session only;
    so the session's own value is set as well, of which the kernel accepts one change each 0.1 s from who is not root.
    What is not permitted, or not there, is left as it is: a full share harms nobody.
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
