"""Sending a signal to processes that are known by pid and start."""

import logging
import os
import signal
from collections.abc import Sequence

from lakeproof.processes import procfs

log = logging.getLogger(__name__)


def send(number: signal.Signals, processes: Sequence[procfs.ProcessId]) -> int:
    """Send a signal to those that still are who they were. Gives how many were sent.

    One that this user may not signal (it runs a setuid program) is told in the log and counts as not sent.
    """
    sent = 0
    for process in processes:
        if procfs.identify(process.pid) == process:
            try:
                os.kill(process.pid, number)
                sent += 1
            except ProcessLookupError:
                continue
            except PermissionError:
                log.warning("pid %d may not be sent %s: it runs as another user", process.pid, number.name)
    return sent
