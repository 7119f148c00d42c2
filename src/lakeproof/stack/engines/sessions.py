"""What mysql_sessions.py and postgres_sessions.py share. Both have the same names (database_sessions.Engine)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lakeproof.errors import CouldNotLook

# Runs one statement and gives its rows.
type Ask = Callable[..., list[tuple[Any, ...]]]

# A queue counts once one session in it has waited for this many seconds: most locks are held for a moment only. All
# other sessions in it then count at once, since services give a statement up after a few seconds and ask again.
WAIT_SECONDS = 2
# The pause before the administrator's login is tried again: health question, exporter and probes take his few places
# for a moment each.
AGAIN_SECONDS = 0.1


class NoneLeft(CouldNotLook):
    """The server has no session left for the account that asked."""


@dataclass(frozen=True)
class Session:
    """A session of a database server.

    waited: for how many seconds it has waited, for whatever lock; None where it does not wait.
    age: for how many seconds it has been in its transaction, or has held its lock.
    ours: it is a repair of Lakeproof's own.
    """

    account: str
    waited: float | None
    age: float
    ours: bool = False


@dataclass(frozen=True)
class Blocker:
    """A session that keeps others waiting, and its account.

    waiting: how many other sessions wait for its locks.
    longest: their longest wait, in seconds.
    ours: it is a repair of Lakeproof's own, which ends by itself.
    """

    session: int
    account: str
    waiting: int
    longest: float
    ours: bool = False


def blocker_of(waits: Iterable[tuple[int, int]], sessions: Mapping[int, Session]) -> Blocker | None:
    """The session at the head of the longest queue, the oldest of several; None where nobody waits for long.

    waits: pairs of (a session that waits, a session ahead of it). sessions: all sessions that may be named. A head
    that is not among them (it has ended meanwhile, or is a transaction without a session) is left out, and so is a
    head that waits itself.
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
    """The sessions at the head of all queues in which session `number` stands.

    Both servers name, for each waiting session, only the sessions just ahead of it, and these may wait as well: in
    PostgreSQL all that wait for a row wait for the first of them.
    """
    seen, left = {number}, [number]
    while left:
        fresh = ahead.get(left.pop(), set()) - seen
        seen |= fresh
        left += fresh
    return {each for each in seen if each not in ahead and each != number}
