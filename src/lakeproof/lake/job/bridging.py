"""Who brings into the lake, from the database, what it lacks: one at a time, and the publisher knows of it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.held_file import hold, holder_of
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

# Longer than somebody's look at who holds the file, which holds it for that moment (`holder_of`).
TURN_SECONDS = 1.0
# One that takes longer hangs, or was stopped (Ctrl-Z), and no longer counts.
LONGEST_SECONDS = 900.0


@contextmanager
def bridging(stack: Stack, source: Source) -> Iterator[None]:
    """Be the one who does it, for the block; the kernel ends it when this process dies. Raises: HeldByAnother."""
    with hold(_lock(stack, source), f"process {os.getpid()}", TURN_SECONDS):
        yield


def is_bridged(stack: Stack, source: Source) -> bool:
    """Whether somebody on this machine is at it now, and has not been for longer than LONGEST_SECONDS."""
    lock = _lock(stack, source)
    # Who takes it writes into it.
    return holder_of(lock) is not None and time.time() - lock.stat().st_mtime < LONGEST_SECONDS


def _lock(stack: Stack, source: Source) -> Path:
    return stack.data_dir(source.job) / "bridge.lock"
