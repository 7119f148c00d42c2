"""MariaDB's sessions: who holds them, who waits for whom, an account's limit, and how a session is ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql
from lakeproof.stack.engines.mysql_accounts import ACCOUNTS as ALL_ACCOUNTS
from lakeproof.stack.engines.mysql_accounts import HOST, REPORT
from lakeproof.stack.engines.sessions import NOBODY_KNOWN, WAIT_SECONDS, Ask, Blocker, NoneLeft, blocker_of
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
WAITS_SHOWN_IN = "information_schema.innodb_lock_waits, metadata_lock_info"

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
# Locks on whole tables (LOCK TABLES, ALTER TABLE, FLUSH TABLES WITH READ LOCK) are shown by a plugin, and only those
# that are held; who waits for one of them is seen by its state. In seconds.
_TABLE_WAITS = """
SELECT id, time_ms / 1000 FROM information_schema.processlist
WHERE state IN ('Waiting for table metadata lock', 'Waiting for schema metadata lock', 'Waiting for backup lock')"""
_TABLE_LOCKS_SHOWN = (
    "SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'METADATA_LOCK_INFO' AND plugin_status = 'ACTIVE'"
)
_TABLE_LOCKS = """
SELECT thread_id, lock_mode, lock_time_ms / 1000, table_schema, table_name
FROM information_schema.metadata_lock_info"""
# Modes that keep readers or writers out of a table, or writers out of the whole server.
_KEEPS_OUT = frozenset(
    (
        *("MDL_EXCLUSIVE", "MDL_SHARED_NO_READ_WRITE", "MDL_SHARED_NO_WRITE", "MDL_SHARED_READ_ONLY"),
        *("MDL_BACKUP_FTWRL1", "MDL_BACKUP_FTWRL2"),
    )
)
# What a statement holds that waits to become the only one at its table; all that ask later wait behind it.
_ON_ITS_WAY = frozenset({"MDL_SHARED_UPGRADABLE", "MDL_SHARED_NO_WRITE"})


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
    """The session that keeps the most others waiting, for rows or for whole tables; None where none does.

    Locks on tables are left out where the server does not show them.
    """
    rows = blocker_of(ask(_WAITS), ask(_TRANSACTIONS), dict(ask(_USERS)))
    waits = ask(_TABLE_WAITS)
    if not waits or not ask(_TABLE_LOCKS_SHOWN):
        return rows
    tables = table_blocker_of(waits, ask(_TABLE_LOCKS), dict(ask(_USERS)))
    return max((each for each in (rows, tables) if each), key=lambda each: each.waiting, default=None)


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


def table_blocker_of(
    waits: Iterable[tuple[Any, ...]], locks: Iterable[tuple[Any, ...]], users: Mapping[int, str]
) -> Blocker | None:
    """waits: (waiting session, for how many seconds). locks: (session, mode, for how many seconds it is held, schema,
    table). For which table a session waits is not shown, so all of them count as one queue.
    """
    waiting = {int(session): float(seconds) for session, seconds in waits}
    longest = max(waiting.values(), default=0.0)
    if longest < WAIT_SECONDS:
        return None
    held = [(int(session), mode, float(seconds), (schema, table)) for session, mode, seconds, schema, table in locks]
    wanted = {table for session, mode, _, table in held if session in waiting and mode in _ON_ITS_WAY}
    # Where nobody keeps others out, a statement waits for all who only use its table, and the others wait behind it.
    of_others = [each for each in held if each[0] not in waiting]
    first = [each for each in of_others if each[1] in _KEEPS_OUT] or [each for each in of_others if each[3] in wanted]
    if not first:
        return None
    session, *_ = max(first, key=lambda each: each[2])
    return Blocker(session, users.get(session, NOBODY_KNOWN), len(waiting), longest)
