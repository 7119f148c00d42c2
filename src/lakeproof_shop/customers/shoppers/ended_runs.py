"""The ledgers of ended runs, opened once more to append the outcome of the calls that the runs left open."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof.held_file import try_hold
from lakeproof.ledger.calls import Told, is_line
from lakeproof.ledger.writer import LedgerBroken, Written

REASON = "read after its shopper had ended"
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run's ledger. No other process writes it as long as this one holds it."""

    file: int
    read: Callable[[dict[str, Any]], Told]

    def append(self, lines: list[Written]) -> None:
        """Append the lines and make them durable. Raises: OSError."""
        self._cut_broken_line()
        view = memoryview(b"".join(line.to_bytes() for line in lines))
        while view:
            view = view[os.write(self.file, view) :]
        os.fdatasync(self.file)

    def _cut_broken_line(self) -> None:
        """Cut off a last line that is unfinished or was damaged by a crash.

        `lines_of` forgives such a line only at the file's end, and another line is about to follow it.
        """
        size = os.fstat(self.file).st_size
        tail = os.pread(self.file, min(size, LONGEST_LINE), max(0, size - LONGEST_LINE))
        whole = tail.endswith(b"\n")
        last = tail[tail.rfind(b"\n", 0, len(tail) - 1 if whole else len(tail)) + 1 :]
        if not whole or not is_line(last, self.read):
            os.ftruncate(self.file, size - len(last))


@contextmanager
def ended_run(path: Path, read: Callable[[dict[str, Any]], Told]) -> Iterator[EndedRun | None]:
    """The run's ledger, locked for the block. None where its shoppers still live: they settle their calls themselves.

    Raises: LedgerBroken where the ledger cannot be opened, or the block cannot write it.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError as error:
        raise LedgerBroken(f"it cannot be opened: {error.strerror}", where=str(path)) from error
    try:
        yield EndedRun(file, read) if try_hold(file) else None
    except OSError as error:
        raise LedgerBroken(f"it cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        os.close(file)
