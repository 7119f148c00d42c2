"""A stack of the benchmark's own: a fresh state folder, ports beside the given ones, gone afterwards.

The folder's name says which process made it. So the next benchmark finds the stack of one that was killed with -9,
ends it and deletes its folder: such a stack holds the ports that the new one needs.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.reset import sockets_outside
from lakeproof.stack.stack import Stack

PORTS_BESIDE = 1_530  # no shifted port is another component's port, and all stay below the ephemeral ports
PREFIX = "lakeproof-bench-"
MADE_BY = re.compile(rf"{PREFIX}(\d+)-(\d+)-.+")  # pid of the maker, and its start time in ticks since boot


@contextmanager
def own_stack(stack: Stack) -> Iterator[Stack]:
    """A stack with `stack`'s settings and no data; at the end its processes are ended and its data deleted."""
    for folder, made_by in _left_behind():
        _end(_own(stack, folder, made_by))
    us = procfs.read_stat(os.getpid())
    assert us is not None
    state_dir = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{us.id.pid}-{us.id.start_ticks}-"))
    state_dir.chmod(0o755)
    own = _own(stack, state_dir, us.id)
    try:
        yield own
    finally:
        _end(own)


def _left_behind() -> list[tuple[Path, procfs.ProcessId]]:
    """Folders that dead benchmark processes of this user left, each with the process that made it."""
    found = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        name = MADE_BY.fullmatch(folder.name)
        with suppress(FileNotFoundError):  # another benchmark has just cleared up
            if name is not None and folder.lstat().st_uid == os.geteuid() and folder.is_dir():
                made_by = procfs.ProcessId(int(name[1]), int(name[2]))
                if not procfs.is_alive(made_by):
                    found.append((folder, made_by))
    return found


def _own(stack: Stack, state_dir: Path, made_by: procfs.ProcessId) -> Stack:
    changed = {
        "name": f"bench-{made_by.pid}",
        "state_dir": state_dir,
        "port_shift": stack.settings.port_shift + PORTS_BESIDE,
    }
    return Stack(stack.settings.model_copy(update=changed))


def _end(own: Stack) -> None:
    SupervisorClient(own).down()
    for folder in (own.state_dir, *sockets_outside(own)):
        shutil.rmtree(folder, ignore_errors=True)
