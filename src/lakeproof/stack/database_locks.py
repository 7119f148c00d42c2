"""The session whose locks keep others waiting in a database server, and how it is ended.

A session that waits for a lock keeps its connection. In a client with a pool, other requests then wait for a
connection; a client without one opens another connection for each question, until the server has none left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lakeproof.stack.database_sessions import Ask, Server, administrator, looked_at
from lakeproof.stack.stack import Stack

# Shorter waits are usual: most locks are held for a moment.
WAIT_SECONDS = 2

# Names only sessions that wait for no lock themselves: these are at the head of a queue.
_POSTGRES = f"""
SELECT b.pid, b.usename, count(DISTINCT w.pid), max(extract(epoch FROM clock_timestamp() - w.query_start))
FROM pg_stat_activity w
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking(pid)
JOIN pg_stat_activity b ON b.pid = blocking.pid AND b.wait_event_type IS DISTINCT FROM 'Lock'
WHERE w.wait_event_type = 'Lock' AND w.query_start <= clock_timestamp() - interval '{WAIT_SECONDS} s'
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1"""
# MariaDB shows row locks alone. Three lists are read, in milliseconds each: with 200 waiting sessions MariaDB took
# five seconds to join them.
_MYSQL_WAITS = "SELECT requesting_trx_id, blocking_trx_id FROM information_schema.innodb_lock_waits"
_MYSQL_TRANSACTIONS = """
SELECT trx_id, trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_wait_started, NOW())
FROM information_schema.innodb_trx"""
_MYSQL_USERS = "SELECT id, user FROM information_schema.processlist"


@dataclass(frozen=True)
class Blocker:
    """A session and its account. waiting: how many others wait for its locks. longest: their longest wait, in s."""

    session: int
    account: str
    waiting: int
    longest: float


def blocker(stack: Stack, server: Server, seconds: float) -> Blocker | None:
    """The session that keeps the most others waiting, each for WAIT_SECONDS or longer; None where none does.

    Raises: as database_sessions.looked_at.
    """

    def look(ask: Ask) -> Blocker | None:
        if server == "mysql":
            return _of_mysql(ask(_MYSQL_WAITS), ask(_MYSQL_TRANSACTIONS), dict(ask(_MYSQL_USERS)))
        rows = ask(_POSTGRES)
        return Blocker(int(rows[0][0]), str(rows[0][1]), int(rows[0][2]), float(rows[0][3])) if rows else None

    return looked_at(stack, server, seconds, look)


def _of_mysql(
    waits: Iterable[tuple[Any, ...]], transactions: Iterable[tuple[Any, ...]], users: Mapping[int, str]
) -> Blocker | None:
    """waits: (waiting transaction, blocking one). transactions: (id, session, for how many seconds it waits)."""
    known = {name: (int(session), waited) for name, session, waited in transactions}
    ahead: dict[Any, set[Any]] = {}
    for waiter, holder in waits:
        if waiter in known and holder in known:  # else one of them ended between two of the questions
            ahead.setdefault(waiter, set()).add(holder)
    waiting: dict[int, dict[int, float]] = {}
    for name, (session, waited) in known.items():
        if waited is not None and waited >= WAIT_SECONDS:
            for first in _firsts(name, ahead):
                waiting.setdefault(known[first][0], {})[session] = float(waited)
    if not waiting:
        return None
    most = max(waiting, key=lambda session: len(waiting[session]))
    return Blocker(most, users.get(most, "nobody known"), len(waiting[most]), max(waiting[most].values()))


def _firsts(name: Any, ahead: Mapping[Any, set[Any]]) -> set[Any]:
    """The transactions at the head of all queues in which this one stands. MariaDB names, for each that waits, the
    transactions just ahead of it, and these may wait as well.
    """
    seen, left = {name}, [name]
    while left:
        fresh = ahead.get(left.pop(), set()) - seen
        seen |= fresh
        left += fresh
    return {each for each in seen if each not in ahead and each != name}


def ending_statement(server: Server, session: str) -> str:
    """The SQL that ends a session; its transaction is rolled back."""
    return f"KILL CONNECTION {session}" if server == "mysql" else f"SELECT pg_terminate_backend({session})"


def end_session(stack: Stack, server: Server, session: int, seconds: float) -> None:
    """End the session; nothing happens where it has ended by itself. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        ask(ending_statement(server, str(session)))
