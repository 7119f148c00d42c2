"""MariaDB's sessions: who holds them, who waits for whom, an account's limit, and how a session is ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql
from lakeproof.stack.engines.mysql_accounts import ACCOUNTS as ALL_ACCOUNTS
from lakeproof.stack.engines.mysql_accounts import HOST, REPORT
from lakeproof.stack.engines.sessions import WAIT_SECONDS, Ask, Blocker, NoneLeft
from lakeproof.stack.stack import Stack

# The account that gets in also where the server is full: user, secret.
ADMINISTRATOR = ("root", "mysql-root")
# By which components log in: user, secret.
ACCOUNTS: Sequence[tuple[str, str]] = [(one.user, one.secret) for one in ALL_ACCOUNTS if one.user != REPORT]
# How many of the sessions it lets in are the administrator's alone. His one place is not among its max_connections.
KEPT = 0
AGAIN_SECONDS = 0.1
NO_SUCH_THREAD = 1094

# Where it shows its sessions, and who waits for whom.
SESSIONS_SHOWN_IN = "information_schema.processlist"
WAITS_SHOWN_IN = "information_schema.innodb_lock_waits"

MOST = "SELECT @@max_connections"
SESSIONS = """
SELECT user, COUNT(*), SUM(command = 'Sleep') FROM information_schema.processlist
WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler') GROUP BY user"""
IDLE_IN_TRANSACTION = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
LIMIT_OF = "SELECT max_user_connections FROM mysql.user WHERE user = %s"
# Capture reads the binlog, and has no use for accounts.
BEFORE_LIMIT: Sequence[str] = ("SET SESSION sql_log_bin = 0",)
_IDLE = (
    "SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
# It shows row locks alone. Three lists are read, in milliseconds each: with 200 waiting sessions it took five seconds
# to join them.
_WAITS = "SELECT requesting_trx_id, blocking_trx_id FROM information_schema.innodb_lock_waits"
_TRANSACTIONS = """
SELECT trx_id, trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_wait_started, NOW())
FROM information_schema.innodb_trx"""
_USERS = "SELECT id, user FROM information_schema.processlist"


def limit_statement(account: str, sessions: int) -> str:
    """The SQL that limits the account; 0 takes the limit away."""
    return f"ALTER USER '{account}'@'{HOST}' WITH MAX_USER_CONNECTIONS {sessions}"


def ending_statement(session: str) -> str:
    """The SQL that ends a session."""
    return f"KILL CONNECTION {session}"


def ending_idle(account: str) -> str:
    """What `end_idle` does, as a person would type it."""
    return f"{ending_statement('id')}; -- for each of {_IDLE % repr(account)}"


def end_idle(ask: Ask, account: str) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many."""
    idle = ask(_IDLE, account)
    for (thread,) in idle:
        ask(ending_statement(str(int(thread))))
    return len(idle)


def blocker(ask: Ask) -> Blocker | None:
    """The session that keeps the most others waiting; None where none does."""
    return blocker_of(ask(_WAITS), ask(_TRANSACTIONS), dict(ask(_USERS)))


@contextmanager
def session(stack: Stack, user: str, secret: str, seconds: float) -> Iterator[Ask]:
    """A session of the account. The administrator's one place may be taken for a moment; then it is tried again.

    Raises: NoneLeft, CouldNotLook.
    """
    import pymysql

    deadline = Deadline(seconds)
    while True:
        try:
            connection = mysql.connect(stack, user, secret, max(1.0, deadline.left))
            break
        except pymysql.MySQLError as error:
            full = bool(error.args) and error.args[0] == mysql.TOO_MANY
            if not full:
                raise CouldNotLook(f"no answer: {mysql.words(error)}", where="mysql") from error
            if (user, secret) != ADMINISTRATOR or deadline.left < AGAIN_SECONDS:
                raise NoneLeft(f"no session is left for {user}", where="mysql") from error
            deadline.pause(AGAIN_SECONDS)
    with connection, connection.cursor() as cursor:

        def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
            try:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
            except pymysql.MySQLError as error:
                if error.args and error.args[0] == NO_SUCH_THREAD:
                    return []  # it ended by itself meanwhile
                raise CouldNotLook(f"no answer: {mysql.words(error)}", where="mysql") from error

        yield ask


def blocker_of(
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
