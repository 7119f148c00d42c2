"""Reading /proc: who runs, in which session, under which parent, using how much.

A bare pid is never trusted, for it may be used again: a process is (pid, start_ticks), the second in clock ticks
since boot, which a changed wall clock does not move (psutil's create_time is counted from the wall clock).
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STAT_BYTES = 4096  # one line; the kernel's is some 300 bytes long
STOPPED = "T"  # by a signal
ZOMBIE_STATES = frozenset({"Z", "X"})


@dataclass(frozen=True)
class ProcessId:
    """One process for certain: its pid, and when it started in ticks since boot."""

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
        """False when the first thread is a zombie; `runs` looks at the others too."""
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
    # By its descriptor: the supervisor reads every process of the machine again and again, and a file object for
    # each costs three times what the reading does.
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
    """The identity of whoever has this pid now."""
    stat = read_stat(pid)
    return stat.id if stat else None


def cpu_seconds(processes: Sequence[ProcessId]) -> float:
    """The processor time that they have used, exact to microseconds; those that are gone count for nothing."""
    used = 0.0
    for process in processes:
        try:
            # The clock of another process, as clock_getcpuclockid(3) makes its number.
            used += time.clock_gettime(~process.pid << 3 | 2)
        except OSError:
            continue
    return used


def runs(stat: ProcessStat) -> bool:
    """True unless the process is over in all its threads.

    A killed process of several threads may show its first one as a zombie while others still hold its files, locks
    and ports: it is over only when they are.
    """
    if stat.alive:
        return True
    return any(thread.name != str(stat.id.pid) for thread in _threads(stat.id.pid))


def is_alive(process: ProcessId) -> bool:
    """True while that very process runs in any of its threads (a zombie does not)."""
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
    """`pid` and all its parents."""
    line: set[int] = set()
    while pid in table and pid not in line:
        line.add(pid)
        pid = table[pid].parent
    return line


def read_environment(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty where it is gone or not ours to read.

    Where its first thread is a zombie the kernel shows it through the others only.
    """
    raw = _environ(Path(f"/proc/{pid}"))
    if not raw:
        raw = next(filter(None, map(_environ, _threads(pid))), b"")
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if b"=" in entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def with_environment(holds: Callable[[Mapping[str, str]], bool]) -> list[ProcessStat]:
    """Living processes that were started with such an environment, without us and our parents.

    Our parents may have been started by what is looked for: a component of a stack may itself call `lakeproof`.
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
    """A process's command for people, at most 120 characters; its short name where argv cannot be read."""
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
    """Those of the given ones that still run."""
    return [process for process in processes if is_alive(process)]
