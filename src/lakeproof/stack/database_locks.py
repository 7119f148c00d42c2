"""Who keeps others waiting in a database server: the session whose lock they wait for, and how it is ended.

Each that waits keeps its connection. Clients with a pool then wait for each other; a client without one opens another
connection for its next question, until the server has none left.
"""

from dataclasses import dataclass

from lakeproof.stack.database_sessions import Ask, Server, administrator, looked_at
from lakeproof.stack.stack import Stack

# A wait that is shorter is the usual one for a lock of a moment.
WAIT_SECONDS = 2

# Only of sessions that themselves wait for nobody: these hold up all others. MariaDB tells of row locks alone.
_BLOCKER = {
    "mysql": f"""
SELECT b.trx_mysql_thread_id, p.user, COUNT(DISTINCT r.trx_mysql_thread_id),
    MAX(TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW()))
FROM information_schema.innodb_lock_waits w
JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id
JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id AND b.trx_state <> 'LOCK WAIT'
JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id
WHERE r.trx_wait_started <= NOW() - INTERVAL {WAIT_SECONDS} SECOND
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1""",
    "postgres": f"""
SELECT b.pid, b.usename, count(DISTINCT w.pid), max(extract(epoch FROM clock_timestamp() - w.query_start))
FROM pg_stat_activity w
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking(pid)
JOIN pg_stat_activity b ON b.pid = blocking.pid AND b.wait_event_type IS DISTINCT FROM 'Lock'
WHERE w.wait_event_type = 'Lock' AND w.query_start <= clock_timestamp() - interval '{WAIT_SECONDS} s'
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1""",
}


@dataclass(frozen=True)
class Blocker:
    """A session, and its account. waiting: so many others wait for its locks. longest: of these waits, in seconds."""

    session: int
    account: str
    waiting: int
    longest: float


def blocker(stack: Stack, server: Server, seconds: float) -> Blocker | None:
    """The session that most others wait for, and have for WAIT_SECONDS; None where there is none.

    Raises: as database_sessions.looked_at.
    """

    def look(ask: Ask) -> Blocker | None:
        rows = ask(_BLOCKER[server])
        return Blocker(int(rows[0][0]), str(rows[0][1]), int(rows[0][2]), float(rows[0][3])) if rows else None

    return looked_at(stack, server, seconds, look)


def ending_statement(server: Server, session: str) -> str:
    """The SQL that ends a session; its transaction is rolled back."""
    return f"KILL CONNECTION {session}" if server == "mysql" else f"SELECT pg_terminate_backend({session})"


def end_session(stack: Stack, server: Server, session: int, seconds: float) -> None:
    """End it; fine where it has ended by itself. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        ask(ending_statement(server, str(session)))
