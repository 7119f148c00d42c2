"""PostgreSQL's sessions: who holds them, who waits for whom, an account's limit, and how a session is ended."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines.postgres_accounts import ACCOUNTS as ALL_ACCOUNTS
from lakeproof.stack.engines.postgres_accounts import REPORT
from lakeproof.stack.engines.postgres_config import NAME, ROOT_SECRET, ROOT_USER
from lakeproof.stack.engines.sessions import AGAIN_SECONDS, Ask, Blocker, NoneLeft, Session, blocker_of
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from lakeproof.stack import postgres_session

# The SQLSTATE of PostgreSQL's answer to a login for which it has no place left.
FULL = "53300"

# The account that gets in also where the server is full: user, secret.
ADMINISTRATOR = (ROOT_USER, ROOT_SECRET)
# The accounts by which components log in: user, secret.
ACCOUNTS: Sequence[tuple[str, str]] = [(one.user, one.secret) for one in ALL_ACCOUNTS if one is not REPORT]
# How many of max_connections are the administrator's alone (superuser_reserved_connections).
KEPT = 3

# Where PostgreSQL shows its sessions, and who waits for whom.
SESSIONS_SHOWN_IN = "pg_stat_activity"
WAITS_SHOWN_IN = "pg_blocking_pids(pid)"

MOST = "SHOW max_connections"
SESSIONS = """
SELECT usename, count(*), count(*) FILTER (WHERE state LIKE 'idle%') FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename IS NOT NULL GROUP BY usename"""
STATEMENTS = """
SELECT pid, usename, extract(epoch FROM clock_timestamp() - query_start), left(query, 2000) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid() AND usename IS NOT NULL
ORDER BY query_start LIMIT 1"""
IDLE_IN_TRANSACTION = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in transaction%'"
LIMIT_OF = "SELECT greatest(rolconnlimit, 0) FROM pg_roles WHERE rolname = $1"
BEFORE_LIMIT: Sequence[str] = ()
_ENDING_IDLE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND state = 'idle'"
# A session that waits for an advisory lock waits for a leader to go, as is meant. It does not count as waiting, and
# is never the head of a queue.
_WAITS = """
SELECT pid, extract(epoch FROM clock_timestamp() - coalesce(min(waitstart), clock_timestamp())),
CASE WHEN bool_or(locktype = 'advisory') THEN '{}' ELSE pg_blocking_pids(pid) END
FROM pg_locks WHERE NOT granted GROUP BY pid"""
_SESSIONS = """
SELECT pid, usename, coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0), application_name = $1
FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename IS NOT NULL"""
_IS_OURS = "SELECT application_name = $1 FROM pg_stat_activity WHERE pid = $2::bigint"
# The application's name of a session in which a repair of Lakeproof keeps others out for a while.
OURS = "lakeproof repair"


def limit_statement(account: str, sessions: int) -> str:
    """The SQL that limits the account; 0 takes the limit away."""
    # Without quotes Report would be the role report, and bi-reader a syntax error.
    return f"ALTER ROLE {quoted(account, '"')} CONNECTION LIMIT {sessions or -1}"


def ending_statement(session: str) -> str:
    """The SQL that ends a session."""
    return f"SELECT pg_terminate_backend({session})"


def ending_idle(account: str) -> str:
    """What `end_idle` does, as a person would type it."""
    return _ENDING_IDLE.replace("$1", quoted(account, "'"))


def end_idle(ask: Ask, account: str) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many."""
    return len(ask(_ENDING_IDLE, account))


def end_one(ask: Ask, session: int) -> bool:
    """End the session; False where it had ended already."""
    return bool(ask(ending_statement(str(session)))[0][0])


def is_ours(ask: Ask, session: int) -> bool:
    """True where the session is a repair of Lakeproof's own."""
    return any(ours for (ours,) in ask(_IS_OURS, OURS, session))


def blocker(ask: Ask) -> Blocker | None:
    """The session that keeps the most others waiting; None where none does."""
    waiting = {int(pid): (float(seconds), ahead) for pid, seconds, ahead in ask(_WAITS)}
    if not waiting:
        return None
    sessions = {
        int(pid): Session(str(user), waiting[pid][0] if pid in waiting else None, float(age), bool(ours))
        for pid, user, age, ours in ask(_SESSIONS, OURS)
    }
    return blocker_of(((pid, holder) for pid, (_, ahead) in waiting.items() for holder in ahead), sessions)


def quoted(name: str, quote: str) -> str:
    """The name as SQL has it: an identifier between double quotes, a text between single ones."""
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


@contextmanager
def session(stack: Stack, user: str, secret: str, seconds: float, database: str = "postgres") -> Iterator[Ask]:
    """A session of the account. The administrator's places may all be taken for a moment; then it is tried again.

    Raises: NoneLeft, CouldNotLook.
    """
    from lakeproof.stack.postgres_session import TROUBLES

    try:
        with closing(_opened(stack, user, secret, Deadline(seconds), database)) as opened:
            yield opened.rows
    except TROUBLES as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}: {error}", where=NAME) from error


def _opened(stack: Stack, user: str, secret: str, deadline: Deadline, database: str) -> "postgres_session.Session":
    """Raises: NoneLeft; TROUBLES."""
    import psycopg

    from lakeproof.stack.postgres_session import connect

    while True:
        try:
            return connect(stack, user, secret, max(1.0, deadline.left), database)
        except psycopg.Error as error:
            if error.sqlstate != FULL:
                raise
            if (user, secret) != ADMINISTRATOR or deadline.left < AGAIN_SECONDS:
                raise NoneLeft(f"no session is left for {user}", where=NAME) from error
            deadline.pause(AGAIN_SECONDS)
