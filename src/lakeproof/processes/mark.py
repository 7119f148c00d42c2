"""A drill's mark in the environment: whatever it starts beside the supervisor carries it, and is found by it.

The supervisor does not pass it on (its children's environment is made anew), so a component never carries it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.processes import procfs

MARK = "LAKEPROOF_DRILL"


@contextmanager
def marking(run: str) -> Iterator[None]:
    """All that this process starts within the block carries the mark `run`."""
    os.environ[MARK] = run
    try:
        yield
    finally:
        os.environ.pop(MARK, None)


def marked() -> list[procfs.ProcessStat]:
    """Living processes with the mark that is set here now, without us and our parents; none outside of `marking`."""
    run = os.environ.get(MARK)
    return [] if run is None else procfs.with_environment(lambda found: found.get(MARK) == run)
