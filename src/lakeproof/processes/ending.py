"""Ending a process and everything that belongs to it."""

import asyncio
import logging
import signal
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.processes import sweep
from lakeproof.processes.process import Process
from lakeproof.processes.signalling import send

DIE_SECONDS = 20.0

log = logging.getLogger(__name__)


async def ask_to_end(running: Process, stop_signal: str, seconds: float) -> bool:
    """Send the stop signal to the leader, wake what SIGSTOP has stopped, and wait. True when it ended in time."""
    if running.running:
        running.signal_leader(signal.Signals[stop_signal])
        running.signal_all(signal.SIGCONT)
        await asyncio.wait({running.exited}, timeout=seconds)
    return not running.running


async def kill_family(running: Process) -> None:
    """SIGKILL for the leader, its session and their descendants, until none is left."""
    await _kill_until_none(running, lambda: running.signal_all(signal.SIGKILL))


async def kill_component(running: Process, run_id: str, component: str) -> None:
    """As `kill_family`, and SIGKILL for every other process that carries this run id and the component's name."""

    def kill() -> int:
        sent = running.signal_all(signal.SIGKILL)
        strays = sweep.find(lambda found: found == run_id, component)
        return sent + send(signal.SIGKILL, [stat.id for stat in strays])

    await _kill_until_none(running, kill)


async def _kill_until_none(running: Process, kill: Callable[[], int]) -> None:
    async def look() -> bool | None:
        return True if not kill() and not running.running else None

    try:
        await Deadline(DIE_SECONDS).wait_for_async("all of it to die", look, every=0.02)
    except DeadlineExpired:
        log.error("pid %s: something of it does not die", running.pid)
