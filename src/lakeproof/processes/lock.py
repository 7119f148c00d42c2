"""One daemon per stack: a lock file held by flock, with its holder written into it. One who starts it at a time."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.held_file import try_hold
from lakeproof.processes import procfs
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Holder:
    """Who holds a stack's lock."""

    pid: int
    start_ticks: int
    run_id: str
    state_dir: str

    @property
    def process(self) -> procfs.ProcessId:
        """The daemon for certain."""
        return procfs.ProcessId(self.pid, self.start_ticks)


class DaemonRuns(TerminalError):
    """A daemon of this stack runs already."""


def read_holder(path: Path) -> Holder | None:
    """Who wrote the lock file last, alive or dead; None without a (whole) file."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living_holder(runtime: Runtime) -> Holder | None:
    """The daemon that runs now, or None."""
    holder = read_holder(runtime.lock)
    return holder if holder is not None and procfs.is_alive(holder.process) else None


@contextmanager
def starting(stack: Stack, seconds: float) -> Iterator[None]:
    """Hold the stack's turn to start a daemon for the block.

    Else a daemon that is just being started, and holds no lock yet, is taken for what a dead one left.

    Where the state folder cannot be written there is no turn to hold: the daemon's start says so itself.
    Raises: DeadlineExpired where somebody else has held it for so long.
    """
    try:
        stack.state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(stack.state_dir / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        Deadline(seconds).wait_for("another `up` of this stack", lambda: try_hold(descriptor), every=0.05)
        yield
    finally:
        os.close(descriptor)


def clear(runtime: Runtime) -> None:
    """Remove what a dead daemon left of the runtime folder. Raises: DaemonRuns when one lives."""
    if runtime.folder.exists():
        lock = Lock(runtime)
        lock.take("")
        lock.release()


class Lock:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._descriptor: int | None = None

    def take(self, run_id: str) -> Holder:
        """Take it at once or not at all.

        Raises: DaemonRuns naming the holder.
        """
        path = self._runtime.lock
        while True:
            self._runtime.make()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not try_hold(descriptor):
                os.close(descriptor)
                holder = read_holder(path)
                raise DaemonRuns(
                    f"a supervisor runs already (pid {holder.pid if holder else 'unknown'})",
                    where=f"stack {self._runtime.stack.name}",
                    next_action="use it (lakeproof ps), or stop it: lakeproof down",
                )
            # A daemon that ended between our open and our flock has removed the file that we hold now.
            if path.exists() and os.fstat(descriptor).st_ino == path.stat().st_ino:
                break
            os.close(descriptor)
        me = procfs.identify(os.getpid())
        holder = Holder(os.getpid(), me.start_ticks if me else 0, run_id, str(self._runtime.stack.state_dir))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        self._descriptor = descriptor
        return holder

    def release(self) -> None:
        """Remove the runtime folder while the lock is still held, then let go."""
        if self._descriptor is not None:
            self._runtime.remove()
            os.close(self._descriptor)
            self._descriptor = None
