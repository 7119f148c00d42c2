"""PostgreSQL's sessions: who holds them, who waits for whom, an account's limit, and how a session is ended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines.postgres_accounts import ACCOUNTS as ALL_ACCOUNTS
from lakeproof.stack.engines.postgres_config import NAME, ROOT_SECRET, ROOT_USER
from lakeproof.stack.engines.sessions import WAIT_SECONDS, Ask, Blocker, NoneLeft
from lakeproof.stack.stack import Stack

# What it says to a login for which it has no place left.
FULL = "53300"

# The account that gets in also where the server is full: user, secret.
ADMINISTRATOR = (ROOT_USER, ROOT_SECRET)
# By which components log in: user, secret.
ACCOUNTS: Sequence[tuple[str, str]] = [(one.user, one.secret) for one in ALL_ACCOUNTS]
# How many of the sessions it lets in are the administrator's alone (superuser_reserved_connections).
KEPT = 3

# Where it shows its sessions, and who waits for whom.
SESSIONS_SHOWN_IN = "pg_stat_activity"
WAITS_SHOWN_IN = "pg_blocking_pids(pid)"

MOST = "SHOW max_connections"
SESSIONS = """
SELECT usename, count(*), count(*) FILTER (WHERE state LIKE 'idle%') FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename IS NOT NULL GROUP BY usename"""
IDLE_IN_TRANSACTION = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in transaction%'"
LIMIT_OF = "SELECT greatest(rolconnlimit, 0) FROM pg_roles WHERE rolname = $1"
BEFORE_LIMIT: Sequence[str] = ()
_ENDING_IDLE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND state = 'idle'"
# Names only sessions that wait for no lock themselves: these are at the head of a queue.
_BLOCKER = f"""
SELECT b.pid, b.usename, count(DISTINCT w.pid), max(extract(epoch FROM clock_timestamp() - w.query_start))
FROM pg_stat_activity w
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking(pid)
JOIN pg_stat_activity b ON b.pid = blocking.pid AND b.wait_event_type IS DISTINCT FROM 'Lock'
WHERE w.wait_event_type = 'Lock' AND w.query_start <= clock_timestamp() - interval '{WAIT_SECONDS} s'
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1"""


def limit_statement(account: str, sessions: int) -> str:
    """The SQL that limits the account; 0 takes the limit away."""
    return f"ALTER ROLE {account} CONNECTION LIMIT {sessions or -1}"


def ending_statement(session: str) -> str:
    """The SQL that ends a session."""
    return f"SELECT pg_terminate_backend({session})"


def ending_idle(account: str) -> str:
    """What `end_idle` does, as a person would type it."""
    return _ENDING_IDLE.replace("$1", f"'{account}'")


def end_idle(ask: Ask, account: str) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many."""
    return len(ask(_ENDING_IDLE, account))


def blocker(ask: Ask) -> Blocker | None:
    """The session that keeps the most others waiting; None where none does."""
    rows = ask(_BLOCKER)
    return Blocker(int(rows[0][0]), str(rows[0][1]), int(rows[0][2]), float(rows[0][3])) if rows else None


@contextmanager
def session(stack: Stack, user: str, secret: str, seconds: float) -> Iterator[Ask]:
    """A session of the account. Raises: NoneLeft, CouldNotLook."""
    import psycopg

    from lakeproof.stack.postgres_session import TROUBLES, connection

    try:
        with connection(stack, user, secret, seconds) as opened:
            yield opened.rows
    except TROUBLES as error:
        if isinstance(error, psycopg.Error) and error.sqlstate == FULL:
            raise NoneLeft(f"no session is left for {user}", where=NAME) from error
        raise CouldNotLook(f"no answer: {type(error).__name__}: {error}", where=NAME) from error
