"""A stack of the benchmark's own: a fresh state folder, ports beside the given ones, gone afterwards.

Its folder's name says which process made it. So what a benchmark left that was killed with -9 is found, ended and
deleted by the next one; it has the ports that this one needs.
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

PORTS_BESIDE = 1_530  # no port + this is another port, and all stay below those of outgoing connections
PREFIX = "lakeproof-bench-"
MADE_BY = re.compile(rf"{PREFIX}(\d+)-(\d+)-.+")  # pid, and when that process started in ticks since boot


@contextmanager
def own_stack(stack: Stack) -> Iterator[Stack]:
    """A stack with `stack`'s settings and no data; what runs in it is ended, and its data deleted, at the end."""
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
    """Folders of this user's benchmarks that are over and did not clear up, and who made them."""
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
