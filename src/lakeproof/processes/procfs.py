"""Reads /proc: which processes run, in which session, under which parent, with how much memory and CPU time.

A bare pid is never trusted, because the kernel may use it again. A process is identified by (pid, start_ticks). The
ticks are counted since boot, so that a change of the wall clock does not move them (psutil's create_time is counted
from the wall clock).
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STAT_BYTES = 4096  # enough for the one line of /proc/PID/stat, which is some 300 bytes long
STOPPED = "T"  # the state of a process that is stopped by a signal
ZOMBIE_STATES = frozenset({"Z", "X"})


@dataclass(frozen=True)
class ProcessId:
    """Identifies one process: its pid, and the time of its start in ticks since boot."""

    pid: int
    start_ticks: int


@dataclass(frozen=True)
class ProcessStat:
    """One line of the process table. `state` is the kernel's letter: T is stopped by a signal, Z is a zombie."""

    id: ProcessId
    command: str
    state: str
    parent: int
    session: int
    cpu_seconds: float
    rss_bytes: int

    @property
    def alive(self) -> bool:
        """False when the first thread is a zombie; `runs` looks at the other threads too."""
        return self.state not in ZOMBIE_STATES


def parse_stat(text: str) -> ProcessStat:
    """One process from /proc/PID/stat (proc(5)). The command may itself contain blanks and brackets."""
    head, _, tail = text.rpartition(")")
    pid, _, command = head.partition(" (")
    fields = tail.split()
    return ProcessStat(
        id=ProcessId(int(pid), int(fields[19])),
        command=command,
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND,
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def read_stat(pid: int) -> ProcessStat | None:
    """One process now, or None when there is none of that pid."""
    # A bare descriptor, because the supervisor reads every process of the machine again and again, and a file object
    # for each costs three times as much as the reading.
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return parse_stat(os.read(descriptor, STAT_BYTES).decode(errors="replace"))
    except (OSError, IndexError, ValueError):
        return None
    finally:
        os.close(descriptor)


def identify(pid: int) -> ProcessId | None:
    """The identity of the process that has this pid now; None where there is none."""
    stat = read_stat(pid)
    return stat.id if stat else None


def cpu_seconds(processes: Sequence[ProcessId]) -> float:
    """The processor time that these processes have used, exact to microseconds; one that is gone counts as 0."""
    used = 0.0
    for process in processes:
        try:
            # The number of another process's CPU clock, computed as clock_getcpuclockid(3) does.
            used += time.clock_gettime(~process.pid << 3 | 2)
        except OSError:
            continue
    return used


def runs(stat: ProcessStat) -> bool:
    """True unless all threads of the process have ended.

    The first thread of a killed process may be a zombie while other threads still hold its files, locks and ports.
    The process is over only when these have ended too.
    """
    if stat.alive:
        return True
    return any(thread.name != str(stat.id.pid) for thread in _threads(stat.id.pid))


def is_alive(process: ProcessId) -> bool:
    """True while any thread of exactly this process runs (a zombie does not run)."""
    stat = read_stat(process.pid)
    return stat is not None and stat.id == process and runs(stat)


def read_table() -> dict[int, ProcessStat]:
    """All processes now, by pid (one pass, about 3 ms for 200 processes)."""
    table: dict[int, ProcessStat] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            stat = read_stat(int(entry.name))
            if stat is not None:
                table[stat.id.pid] = stat
    return table


def family(leader: int, table: Mapping[int, ProcessStat]) -> list[ProcessStat]:
    """The leader, everything in its session, and all their descendants."""
    members = {pid for pid, stat in table.items() if pid == leader or stat.session == leader}
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    todo = list(members)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in members:
                members.add(child)
                todo.append(child)
    return [table[pid] for pid in members if pid in table]


def ancestors(pid: int, table: Mapping[int, ProcessStat]) -> set[int]:
    """The pids of the process, its parent, the parent's parent and so on."""
    line: set[int] = set()
    while pid in table and pid not in line:
        line.add(pid)
        pid = table[pid].parent
    return line


def read_environment(pid: int) -> dict[str, str]:
    """The environment with which a process was started; empty where it is gone or may not be read.

    Where its first thread is a zombie, the kernel shows the environment through the other threads only.
    """
    raw = _environ(Path(f"/proc/{pid}"))
    if not raw:
        raw = next(filter(None, map(_environ, _threads(pid))), b"")
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if b"=" in entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def with_environment(holds: Callable[[Mapping[str, str]], bool]) -> list[ProcessStat]:
    """Living processes whose environment `holds` accepts, without this process and its parents.

    The parents are left out because a component of a stack may itself call `lakeproof`, which then must not end its
    own caller.
    """
    table = read_table()
    spared = ancestors(os.getpid(), table)
    return [stat for pid, stat in table.items() if pid not in spared and runs(stat) and holds(read_environment(pid))]


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def command_line(pid: int) -> str:
    """A process's command line for people, at most 120 characters; its short name where argv cannot be read."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        raw = b""
    text = raw.replace(b"\0", b" ").decode(errors="replace").strip()
    if not text:
        stat = read_stat(pid)
        text = stat.command if stat else "?"
    return text if len(text) <= 120 else text[:117] + "..."


def alive_among(processes: Iterable[ProcessId]) -> list[ProcessId]:
    """The processes among these that still run."""
    return [process for process in processes if is_alive(process)]
