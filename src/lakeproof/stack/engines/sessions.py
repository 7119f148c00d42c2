"""What mysql_sessions.py and postgres_sessions.py share; both have the same names, for each server its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lakeproof.errors import CouldNotLook

# Asks one statement and gives its rows.
type Ask = Callable[..., list[tuple[Any, ...]]]

# A queue counts once one in it has waited for so many seconds: most locks are held for a moment. All others in it
# count at once, since services give a statement up after a few seconds and ask again.
WAIT_SECONDS = 2
NOBODY_KNOWN = "nobody known"


class NoneLeft(CouldNotLook):
    """The server has no session left for who asked."""


@dataclass(frozen=True)
class Blocker:
    """A session and its account. waiting: how many others wait for its locks. longest: their longest wait, in s."""

    session: int
    account: str
    waiting: int
    longest: float


def blocker_of(
    waits: Iterable[tuple[Any, ...]], asked: Iterable[tuple[Any, ...]], users: Mapping[int, str]
) -> Blocker | None:
    """The session at the head of the longest queue; None where nobody waits for long.

    waits: (who waits, who is ahead of it), by name: a transaction in MariaDB, a session in PostgreSQL. asked: (name,
    session, for how many seconds it waits; None where it does not).
    """
    known = {name: (int(session), waited) for name, session, waited in asked}
    ahead: dict[Any, set[Any]] = {}
    for waiter, holder in waits:
        if waiter in known and holder in known:  # else one of them ended between two of the questions
            ahead.setdefault(waiter, set()).add(holder)
    waiting: dict[int, dict[int, float]] = {}
    for name, (session, waited) in known.items():
        if waited is not None:
            for first in _firsts(name, ahead):
                waiting.setdefault(known[first][0], {})[session] = float(waited)
    long = [session for session, queue in waiting.items() if max(queue.values()) >= WAIT_SECONDS]
    if not long:
        return None
    most = max(long, key=lambda session: len(waiting[session]))
    return Blocker(most, users.get(most, NOBODY_KNOWN), len(waiting[most]), max(waiting[most].values()))


def _firsts(name: Any, ahead: Mapping[Any, set[Any]]) -> set[Any]:
    """Those at the head of all queues in which this one stands. Both servers name, for each that waits, the ones just
    ahead of it, and these may wait as well: who waits for a row of PostgreSQL waits for the first that does.
    """
    seen, left = {name}, [name]
    while left:
        fresh = ahead.get(left.pop(), set()) - seen
        seen |= fresh
        left += fresh
    return {each for each in seen if each not in ahead and each != name}
