"""One running OS process of a component: started through the wrapper, known by (pid, start), watched by pidfd."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.processes import logfile, procfs
from lakeproof.processes.signalling import send
from lakeproof.stack.component import Command

WRAPPER = Path(__file__).with_name("wrapper.py")
# Signals that a child gets with their default action: Python ignores the first two, and a child would inherit that.
RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Exit:
    """How a process ended: an exit code, or the signal that ended it."""

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


@dataclass(eq=False)
class Process:
    """A child of the daemon and the session it leads.

    exited: done, with an Exit, once the leader has ended and its exit code was collected.
    started_at: in seconds on the monotonic clock.
    """

    id: procfs.ProcessId
    exited: asyncio.Future[Exit]
    started_at: float = field(default_factory=time.monotonic)
    _empty: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        # `members` looks at once at what the leader left, while no other process can have its pid yet.
        self.exited.add_done_callback(lambda _: self.members())

    @property
    def pid(self) -> int:
        """The leader's pid, also its session's id."""
        return self.id.pid

    @property
    def running(self) -> bool:
        """True until the leader has been collected."""
        return not self.exited.done()

    @property
    def paused(self) -> bool:
        """True while the leader is stopped by a signal."""
        stat = procfs.read_stat(self.pid) if self.running else None
        return stat is not None and stat.id == self.id and stat.state in ("T", "t")

    def members(self) -> list[procfs.ProcessStat]:
        """The leader, its session and their descendants, zombies left out.

        Once the leader is collected, its family is known by the session's number alone. The kernel gives that number
        to no new process while a process of the session lives, and may do so afterwards. So once a look has found
        the session empty, or the number at another process, no process with that number is ours any more.
        """
        if self._empty:
            return []
        table = procfs.read_table()
        found = [stat for stat in procfs.family(self.pid, table) if procfs.runs(stat) and stat.id.pid != os.getpid()]
        if self.running:
            return found
        left = [stat for stat in found if stat.session == self.pid]
        self._empty = not left or self.pid in table
        return [] if self._empty else left

    async def while_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end. Raises: TransientError where the process ends first; what `work` raised."""
        task = asyncio.create_task(work)
        try:
            both: set[asyncio.Future[Any]] = {task, self.exited}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self.exited.done():
                raise TransientError(f"{self.exited.result()} after {time.monotonic() - self.started_at:.1f} s")
            await task
        finally:
            await cancel(task)

    def signal_leader(self, number: signal.Signals) -> None:
        """Send a signal to the leader, unless it has ended."""
        if self.running:
            send(number, [self.id])

    def signal_all(self, number: signal.Signals) -> int:
        """Send a signal to the leader first and then to all other members. Gives how many signals were sent."""
        members = sorted(self.members(), key=lambda stat: stat.id.pid != self.pid)
        return send(number, [stat.id for stat in members])


def start(command: Command, environment: Mapping[str, str], log: Path, cwd: Path) -> Process:
    """Start a command in a session of its own, its output appended to `log`.

    Must be called in the main thread, inside the event loop: PR_SET_PDEATHSIG fires when the thread that forked
    ends (prctl(2)). A program that cannot be executed ends with code 127 and one line in the log.
    Raises: TransientError where the log cannot be written.
    """
    user = command.user if os.geteuid() == 0 and command.user else ""
    argv = [sys.executable, "-I", "-S", str(WRAPPER), str(os.getpid()), user, str(command.cwd or cwd), *command.argv]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        logfile.mend(log)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise TransientError(
            f"cannot write the log: {error.strerror}", where=str(log), next_action="free space or mend permissions"
        ) from error
    try:
        pid = os.posix_spawn(
            sys.executable,
            argv,
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=RESET_SIGNALS,
        )
    except OSError as error:
        raise TransientError(f"cannot start a process: {error.strerror}", where=command.argv[0]) from error
    finally:
        os.close(output)
    return Process(procfs.identify(pid) or procfs.ProcessId(pid, 0), _watch(pid))


async def cancel(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it has ended; whatever it raises is dropped."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _watch(pid: int) -> asyncio.Future[Exit]:
    """A future that is done when our child `pid` has ended; its exit code is collected then.

    A pidfd waits for this pid only. waitpid(-1) would steal the exit code of a program that a component's `prepare`
    runs through subprocess.
    """
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[Exit] = loop.create_future()
    descriptor = os.pidfd_open(pid)

    def collect() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        try:
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            code = 0
        if not exited.done():
            exited.set_result(Exit(code))

    loop.add_reader(descriptor, collect)
    return exited
