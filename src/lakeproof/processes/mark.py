"""A drill's mark in the environment, which every process that the drill starts inherits, and by which it is found.

The supervisor does not pass the mark on (its children's environment is made anew), so no component carries it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.processes import procfs

MARK = "LAKEPROOF_DRILL"


@contextmanager
def marking(run: str) -> Iterator[None]:
    """Every process that this process starts within the block carries the mark `run`."""
    os.environ[MARK] = run
    try:
        yield
    finally:
        os.environ.pop(MARK, None)


def marked() -> list[procfs.ProcessStat]:
    """Living processes with the mark of this process, without itself and its parents; none outside of `marking`."""
    run = os.environ.get(MARK)
    return [] if run is None else procfs.with_environment(lambda found: found.get(MARK) == run)
