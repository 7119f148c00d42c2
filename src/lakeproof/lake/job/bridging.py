"""One repair at a time of a database's tables in the lake, and the publisher knows when `main` has to move for it.

An audit's finding freezes `main`. But a repair compares the database with new states on `main`, and `main` is whole
only once it shows what the repair has written.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.held_file import hold, holder_of
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

# How long to wait for the file: longer than `holder_of` takes, which holds the file while it looks who else does.
TURN_SECONDS = 1.0
# How long `main` moves for a repair. One that takes longer hangs, or was stopped (Ctrl-Z), and no longer counts.
LONGEST_SECONDS = 900.0
_MOVES = "main moves for it"


@contextmanager
def bridging(stack: Stack, source: Source) -> Iterator[None]:
    """Be the only repair of that source's tables, for the block or until this process dies. Raises: HeldByAnother."""
    with hold(_lock(stack, source), f"process {os.getpid()}", TURN_SECONDS):
        yield


def let_main_move(stack: Stack, source: Source) -> None:
    """Have `main` move until the end of the `bridging` in which this is called."""
    _lock(stack, source).write_text(f"process {os.getpid()} ({_MOVES})", encoding="utf-8")


def main_may_move(stack: Stack, source: Source) -> bool:
    """Whether a repair for which `main` has to move runs on this machine now, and has not run for too long."""
    lock = _lock(stack, source)
    holder = holder_of(lock)
    return holder is not None and _MOVES in holder and time.time() - lock.stat().st_mtime < LONGEST_SECONDS


def is_repaired_now(stack: Stack, source: Source) -> bool:
    """Whether a repair of that source's tables runs on this machine now."""
    return holder_of(_lock(stack, source)) is not None


def _lock(stack: Stack, source: Source) -> Path:
    return stack.data_dir(source.job) / "bridge.lock"
