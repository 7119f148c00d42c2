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
# The administrator's few places are taken for a moment each, by health question, exporter and probes.
AGAIN_SECONDS = 0.1


class NoneLeft(CouldNotLook):
    """The server has no session left for who asked."""


@dataclass(frozen=True)
class Session:
    """waited: for how many seconds it waits, for whatever lock; None where it does not. age: for how many seconds it
    has been in its transaction, or has held its lock. ours: it is a repair of Lakeproof's own.
    """

    account: str
    waited: float | None
    age: float
    ours: bool = False


@dataclass(frozen=True)
class Blocker:
    """A session and its account. waiting: how many others wait for its locks. longest: their longest wait, in s.
    ours: it is a repair of Lakeproof's own, which ends by itself.
    """

    session: int
    account: str
    waiting: int
    longest: float
    ours: bool = False


def blocker_of(waits: Iterable[tuple[int, int]], sessions: Mapping[int, Session]) -> Blocker | None:
    """The session at the head of the longest queue, the oldest of several; None where nobody waits for long.

    waits: (who waits, who is ahead of it). sessions: all that may be named. A head that is none of them (it has ended
    meanwhile, or is a transaction without a session) is left out, and so is one that waits itself.
    """
    ahead: dict[int, set[int]] = {}
    for waiter, holder in waits:
        ahead.setdefault(waiter, set()).add(holder)
    queues: dict[int, list[float]] = {}
    for number, session in sessions.items():
        if session.waited is not None:
            for first in _firsts(number, ahead):
                head = sessions.get(first)
                if head is not None and head.waited is None:
                    queues.setdefault(first, []).append(session.waited)
    long = [first for first, waited in queues.items() if max(waited) >= WAIT_SECONDS]
    if not long:
        return None
    most = max(long, key=lambda first: (len(queues[first]), sessions[first].age))
    head = sessions[most]
    return Blocker(most, head.account, len(queues[most]), max(queues[most]), head.ours)


def _firsts(number: int, ahead: Mapping[int, set[int]]) -> set[int]:
    """The sessions at the head of all queues in which this one stands. Both servers name, for each that waits, those
    just ahead of it, and these may wait as well: who waits for a row of PostgreSQL waits for the first that does.
    """
    seen, left = {number}, [number]
    while left:
        fresh = ahead.get(left.pop(), set()) - seen
        seen |= fresh
        left += fresh
    return {each for each in seen if each not in ahead and each != number}
