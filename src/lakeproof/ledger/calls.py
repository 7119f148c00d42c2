"""How each call ended, by the lines of a ledger: one before the call is sent, one after its answer.

This module reads every ledger of the customers; what else its lines hold is up to ledger.py and contacts.py. A ledger
is a folder of files `<run>.jsonl` with one JSON object per line; each line names the call's key and an event. An
operation that was retried counts as one call.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import orjson

from lakeproof.errors import InvalidInput

# A shopper gives a call up 2 s after the service does (shop.request_seconds, 5 s by default), and writes a line that
# says so. An older call without such a line means that its shopper died. Where shop.request_seconds is 13 or more, a
# call under way may count as unclear too.
OVERDUE_SECONDS = 15
# A line's time may be this much later than the reader's clock, which may have been set back a little. A line with a
# still later time cannot be compared with any moment.
CLOCK_ALLOWANCE_SECONDS = 1.0


class Event(StrEnum):
    """What a line tells about its call."""

    INVOKE = "invoke"
    OK = "ok"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    SETTLED = "settled"


class Told(Protocol):
    """A line of a ledger: the fields that tell how a call ended."""

    @property
    def at_us(self) -> int:
        """When the line was written."""

    @property
    def key(self) -> str:
        """The call's key."""

    @property
    def event(self) -> Event:
        """What the line tells about the call."""


class Ended(StrEnum):
    """How a line ended its call."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(slots=True)
class Open[T: Told]:
    """A call whose outcome is not known yet. first, newest: lines of its tries. given_up: one had no clear answer."""

    first: T
    newest: T
    given_up: bool = False


class Calls[T: Told]:
    """The calls of one ledger, taken line by line in the order written. open: key → call without a known outcome.

    later_than_now: how many lines were, when they were read, later than the clock plus its allowance.
    """

    def __init__(self) -> None:
        self.open: dict[str, Open[T]] = {}
        self.later_than_now = 0
        self._not_later_us = 0

    def take(self, line: T) -> Ended | None:
        """How this line ended its call; None where it did not end it, or leaves the outcome unknown."""
        if line.at_us > self._not_later_us:
            self._not_later_us = now_us() + int(CLOCK_ALLOWANCE_SECONDS * 1e6)
            self.later_than_now += line.at_us > self._not_later_us
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
        """Calls that were given up without an answer and are not settled, and calls whose answer is long overdue,
        since the shopper died. A call that was sent a moment ago is merely under way.
        """
        overdue_us = now_us() - OVERDUE_SECONDS * 1_000_000
        return sum(1 for call in self.open.values() if call.given_up or call.first.at_us < overdue_us)


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def ledgers_in(folder: Path) -> list[Path]:
    """The ledger of every run, oldest first; none where the folder is missing, since no run ever began."""
    return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []


def is_line(raw: bytes, read: Callable[[dict[str, Any]], Told]) -> bool:
    """True where these bytes are one line that `read` takes."""
    try:
        read(orjson.loads(raw))
    except (ValueError, KeyError, TypeError):
        return False
    return True


def lines_of[T](path: Path, read: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """The lines of a ledger, in the order written. A torn last line is left out: its writer was killed, or is still
    writing it. Where the file grows meanwhile, reading ends at that line all the same.

    Raises: InvalidInput naming file:line for anything else that `read` does not take.
    """
    with path.open("rb") as file:
        numbered = enumerate(file, start=1)
        pending = next(numbered, None)
        while pending is not None and pending[1].endswith(b"\n"):
            number, raw = pending
            pending = next(numbered, None)
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
