"""Which windows the rules of a running stack go by: a drill's while that drill lives, else the stack's own.

A drill writes its process and its timing into its lock file, and empties the file once the stack's own windows are
back. What a killed drill wrote stays there: `abandoned` finds it, and observability/reload.py gives the windows back.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lakeproof.observability.timing import TIMINGS, Timing
from lakeproof.processes import procfs
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Borrower:
    """A drill that had the rules go by other windows."""

    process: procfs.ProcessId
    timing: Timing

    @property
    def lives(self) -> bool:
        """True until its process has ended, however it ends."""
        return procfs.is_alive(self.process)


def lock_file(stack: Stack) -> Path:
    """The file that a drill locks. It is never replaced by another file, for a lock belongs to the file itself."""
    return stack.state_dir / "drill.lock"


def words_of_this_process(timing: str) -> str:
    """What this process writes into the lock file."""
    me = procfs.identify(os.getpid())
    return f"{os.getpid()} {me.start_ticks if me else 0} {timing}".strip()


def borrow(stack: Stack, timing: Timing) -> None:
    """Note that this process, which holds the lock, has the rules go by that timing."""
    lock_file(stack).parent.mkdir(parents=True, exist_ok=True)
    lock_file(stack).write_text(words_of_this_process(timing))


def returned(stack: Stack) -> None:
    """Note that the rules go by the stack's own timing again."""
    lock_file(stack).write_text("")


def borrower(stack: Stack) -> Borrower | None:
    """The drill that changed the windows and did not give them back yet, alive or dead; None where there is none."""
    try:
        pid, ticks, timing = lock_file(stack).read_text().split()
        process = procfs.ProcessId(int(pid), int(ticks))
    except (OSError, ValueError):
        return None
    return Borrower(process, cast(Timing, timing)) if timing in TIMINGS else None


def abandoned(stack: Stack) -> bool:
    """True where a drill died before it gave the windows back."""
    found = borrower(stack)
    return found is not None and not found.lives


def timing_now(stack: Stack) -> Timing:
    """The timing that rules are to go by at this moment."""
    found = borrower(stack)
    return found.timing if found is not None and found.lives else stack.settings.timing
