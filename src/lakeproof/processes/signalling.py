"""Sends a signal to processes that are identified by pid and start."""

import logging
import os
import signal
from collections.abc import Sequence

from lakeproof.processes import procfs

log = logging.getLogger(__name__)


def send(number: signal.Signals, processes: Sequence[procfs.ProcessId]) -> int:
    """Send a signal to each process whose pid no other process has taken since. Gives how many were sent.

    A process that this user may not signal (it runs a setuid program) is logged and counts as not sent.
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
