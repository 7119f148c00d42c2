"""One daemon per stack, and one process at a time that starts it."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.held_file import HeldByAnother, hold, holder_of
from lakeproof.processes import procfs
from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.place import Located


@dataclass(frozen=True)
class Holder:
    """The daemon that holds a stack's lock."""

    pid: int
    start_ticks: int
    run_id: str
    state_dir: str

    @property
    def process(self) -> procfs.ProcessId:
        """The daemon's process, told apart from a later one with the same pid."""
        return procfs.ProcessId(self.pid, self.start_ticks)


class DaemonRuns(TerminalError):
    """A daemon of this stack runs already."""


def read_holder(path: Path) -> Holder | None:
    """The daemon that wrote the lock file last, alive or dead; None where the file is missing or cut short."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def current_run_id(stack: Located) -> str | None:
    """The run id of the daemon whose child calls this, else of the newest daemon; None without a lock file. A note
    that an earlier daemon's life left behind no longer holds.
    """
    runtime = Runtime(stack)
    given = os.environ.get(RUN_ID, "")
    if runtime.owns(given):
        return given
    holder = read_holder(runtime.lock)
    return holder.run_id if holder is not None else None


def living_holder(runtime: Runtime) -> Holder | None:
    """The daemon that runs now, or None."""
    holder = read_holder(runtime.lock)
    return holder if holder is not None and procfs.is_alive(holder.process) else None


def holder_of_the_same_data(runtime: Runtime) -> Holder | None:
    """A daemon that runs now on this stack's state folder under another name or another spelling of its path.

    Name and path decide which stack a command means, so every other function takes such a daemon for another stack's.
    """
    for path in runtime.folder.parent.glob("*/lock"):
        holder = read_holder(path)
        if path == runtime.lock or holder is None or not procfs.is_alive(holder.process):
            continue
        with suppress(OSError):
            if Path(holder.state_dir).samefile(runtime.stack.state_dir):
                return holder
    return None


@contextmanager
def starting(stack: Located, seconds: float, purpose: str = "start") -> Iterator[None]:
    """Hold the stack's turn to start a daemon for the block, so that two `up` do not start two daemons.

    A daemon that is just starting holds no daemon lock yet: without the turn, another `up` would sweep it as the
    left-over of a dead daemon. Where the state folder cannot be written nothing is held; the daemon's start then
    reports that. purpose: "start" or "reset", for others that ask meanwhile (`turn_for`).
    Raises: HeldByAnother where another `up` has held the turn for `seconds`.
    """
    me = f"process {os.getpid()} to {purpose} the stack"
    with ExitStack() as turn:
        with suppress(OSError):
            turn.enter_context(hold(_turn_file(stack), me, seconds, every=0.05))
        yield


def turn_for(stack: Located) -> str:
    """Why a process holds the turn of `starting`, "start" or "reset"; empty while no process holds it."""
    holder = holder_of(_turn_file(stack))
    if holder is None:
        return ""
    return "reset" if " reset " in holder else "start"


def _turn_file(stack: Located) -> Path:
    return stack.state_dir / "start.lock"


def clear(runtime: Runtime) -> None:
    """Remove the runtime folder that a dead daemon left. Raises: DaemonRuns when a daemon lives."""
    if runtime.folder.exists():
        with daemon_lock(runtime, ""):
            pass


@contextmanager
def daemon_lock(runtime: Runtime, run_id: str) -> Iterator[Holder]:
    """Hold the stack's lock for the block. At its end the runtime folder is removed before the lock is released.

    Raises: DaemonRuns naming the holder, at once, where another daemon holds the lock.
    """
    runtime.make()
    me = procfs.identify(os.getpid())
    holder = Holder(os.getpid(), me.start_ticks if me else 0, run_id, str(runtime.stack.state_dir))
    with ExitStack() as held:
        try:
            held.enter_context(hold(runtime.lock, json.dumps(asdict(holder))))
        except HeldByAnother as error:
            other = read_holder(runtime.lock)
            raise DaemonRuns(
                f"a supervisor runs already (pid {other.pid if other else 'unknown'})",
                where=f"stack {runtime.stack.name}",
                next_action="use it (lakeproof ps), or stop it: lakeproof down",
            ) from error
        held.callback(runtime.remove)
        yield holder
