"""What became of calls, by the lines of a ledger: one before a call is sent, one after its answer.

Every ledger of the customers is read here, whatever else its lines tell (ledger.py, contacts.py). A ledger is a
folder of files `<run>.jsonl` with one JSON object per line; each line names the call's key and an event. An operation
that was retried counts as one call.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import orjson

from lakeproof.errors import InvalidInput

# A call is given up after at most half of this; then its line says so, unless the shopper died.
OVERDUE_SECONDS = 15


class Event(StrEnum):
    """What a line tells about its call."""

    INVOKE = "invoke"
    OK = "ok"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    SETTLED = "settled"


class Told(Protocol):
    """A line of a ledger."""

    @property
    def at_us(self) -> int:
        """When it was written."""

    @property
    def key(self) -> str:
        """Of the call."""

    @property
    def event(self) -> Event:
        """What it tells."""


class Ended(StrEnum):
    """How a line ended its call."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(slots=True)
class Open[T: Told]:
    """A call of which nobody knows yet what became of it, by its first and its newest try.

    given_up: there was no clear answer.
    """

    first: T
    newest: T
    given_up: bool = False


class Calls[T: Told]:
    """The calls of one ledger, taken line by line in the order written. `open`: by key."""

    def __init__(self) -> None:
        self.open: dict[str, Open[T]] = {}

    def take(self, line: T) -> Ended | None:
        """How this line ended its call; None where it did not, or nobody can tell."""
        call = self.open.get(line.key)
        match line.event:
            case Event.INVOKE:
                self.open[line.key] = Open(call.first if call else line, line, call is not None and call.given_up)
                return None
            case Event.UNCLEAR:
                if call is not None:
                    call.given_up = True
                return None
            case Event.REFUSED:
                if call is not None and call.given_up:
                    return None  # a refused retry does not tell what became of the first try
                self.open.pop(line.key, None)
                return Ended.REFUSED
            case Event.OK | Event.SETTLED:
                self.open.pop(line.key, None)
                return Ended.ACKNOWLEDGED

    @property
    def unclear(self) -> int:
        """Calls that were given up without an answer and are not settled, or whose answer is long overdue (the
        shopper died). A call that was sent a moment ago is merely under way.
        """
        overdue_us = now_us() - OVERDUE_SECONDS * 1_000_000
        return sum(1 for call in self.open.values() if call.given_up or call.first.at_us < overdue_us)


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def ledgers_in(folder: Path) -> list[Path]:
    """Every run's, the oldest first. A missing folder: nothing was ever asked."""
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


def is_line(raw: bytes, read: Callable[[dict[str, Any]], Told]) -> bool:
    """True where these bytes are one line that `read` takes."""
    try:
        read(orjson.loads(raw))
    except (ValueError, KeyError, TypeError):
        return False
    return True


def lines_of[T](path: Path, read: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """What the writer of ledgers wrote, in that order. A torn last line (its writer was killed) is left out.

    Raises: InvalidInput naming file:line for anything else that `read` does not take.
    """
    with path.open("rb") as file:
        numbered = enumerate(file, start=1)
        pending = next(numbered, None)
        while pending is not None:
            number, raw = pending
            pending = next(numbered, None)
            if pending is None and not raw.endswith(b"\n"):
                return
            try:
                yield read(orjson.loads(raw))
            except (ValueError, KeyError, TypeError) as error:
                if pending is None:
                    return  # the last one: torn by a crash of the machine
                raise InvalidInput(
                    f"not a line of a ledger ({type(error).__name__}: {error})",
                    where=f"{path}:{number}",
                    next_action="move the file out of the folder if it is not ours",
                ) from error
