"""Sending a signal to processes that are known by pid and start."""

import os
import signal
from collections.abc import Sequence

from lakeproof.processes import procfs


def send(number: signal.Signals, processes: Sequence[procfs.ProcessId]) -> int:
    """Send a signal to those that still are who they were. Gives how many were sent."""
    sent = 0
    for process in processes:
        if procfs.identify(process.pid) == process:
            try:
                os.kill(process.pid, number)
                sent += 1
            except ProcessLookupError:
                continue
    return sent
