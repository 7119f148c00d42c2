"""What mysql_sessions.py and postgres_sessions.py share; both have the same names, for each server its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lakeproof.errors import CouldNotLook

# Asks one statement and gives its rows.
type Ask = Callable[..., list[tuple[Any, ...]]]

# A blocked session counts from so many seconds on: most locks are held for a moment.
WAIT_SECONDS = 2


class NoneLeft(CouldNotLook):
    """The server has no session left for who asked."""


@dataclass(frozen=True)
class Blocker:
    """A session and its account. waiting: how many others wait for its locks. longest: their longest wait, in s."""

    session: int
    account: str
    waiting: int
    longest: float
