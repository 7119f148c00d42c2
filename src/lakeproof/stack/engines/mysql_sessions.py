"""MariaDB's sessions: who holds them, who waits for whom, an account's limit, and how a session is ended."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql
from lakeproof.stack.engines.mysql_accounts import ACCOUNTS as ALL_ACCOUNTS
from lakeproof.stack.engines.mysql_accounts import HOST, REPORT
from lakeproof.stack.engines.sessions import AGAIN_SECONDS, Ask, Blocker, NoneLeft, Session, blocker_of
from lakeproof.stack.stack import Stack

# The account that gets in also where the server is full: user, secret.
ADMINISTRATOR = ("root", "mysql-root")
# The accounts by which components log in: user, secret.
ACCOUNTS: Sequence[tuple[str, str]] = [(one.user, one.secret) for one in ALL_ACCOUNTS if one.user != REPORT]
# How many of max_connections are the administrator's alone: none, since MariaDB keeps one more place for him.
KEPT = 0
NO_SUCH_THREAD = 1094
# A user lock whose name begins with OURS is held by a repair of Lakeproof that keeps others out for a while.
OURS, USER_LOCK = "lakeproof ", "User lock"
BACKUP_KIND = "Backup lock"
# _NAME is a table's name, perhaps with its schema. _TABLES finds a statement's lists of such names, each perhaps with
# an alias or LOCK TABLES' mode behind it.
_NAME = re.compile(r"(?:`[^`]+`|[\w$]+)(?:\s*\.\s*(?:`[^`]+`|[\w$]+))?")
_TABLES = re.compile(
    rf"\b(?:from|join|into|update|tables?|truncate)\s+(?=({_NAME.pattern}(?:\s+\w+){{0,3}}"
    rf"(?:\s*,\s*{_NAME.pattern}(?:\s+\w+){{0,3}})*))",
    re.IGNORECASE,
)

# The tables in which MariaDB shows its sessions, and who waits for whom.
SESSIONS_SHOWN_IN = "information_schema.processlist"
WAITS_SHOWN_IN = "information_schema.innodb_lock_waits, metadata_lock_info"

MOST = "SELECT @@max_connections"
SESSIONS = """
SELECT user, COUNT(*), SUM(command = 'Sleep') FROM information_schema.processlist
WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler') GROUP BY user"""
# The statement that has run for the longest. A reader of the binlog runs for ever, and is left out.
STATEMENTS = """
SELECT id, user, time_ms / 1000, LEFT(info, 2000) FROM information_schema.processlist
WHERE command = 'Query' AND id <> CONNECTION_ID() AND info IS NOT NULL ORDER BY time_ms DESC LIMIT 1"""
IDLE_IN_TRANSACTION = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
LIMIT_OF = "SELECT max_user_connections FROM mysql.user WHERE user = %s"
# Run before an account's limit is changed: change capture reads the binlog, and has no use for accounts.
BEFORE_LIMIT: Sequence[str] = ("SET SESSION sql_log_bin = 0",)
_IDLE = (
    "SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
_IS_THERE = "SELECT 1 FROM information_schema.processlist WHERE id = %s"
# Waits for rows, and the transactions. To read each list takes milliseconds; a join of the two took five seconds with
# 200 waiting sessions.
_ROW_WAITS = "SELECT requesting_trx_id, blocking_trx_id FROM information_schema.innodb_lock_waits"
_TRANSACTIONS = """
SELECT trx_id, trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_wait_started, NOW()),
TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.innodb_trx"""
# A plugin shows the locks on whole tables, and only locks that are held. A session that waits for one is known by its
# state, and the table by the text of its statement. `time_ms` counts since that statement began.
BACKUP_LOCK = "Waiting for backup lock"
TABLE_WAITS = ("Waiting for table metadata lock", BACKUP_LOCK)
_PROCESSES = """
SELECT id, user, db, state, IF(state LIKE 'Waiting for %' OR state = 'User lock', time_ms / 1000, NULL),
LEFT(info, 10000) FROM information_schema.processlist"""
# Older versions of the plugin do not tell since when a lock is held.
_LOCKS_SHOWN = """
SELECT 1 FROM information_schema.columns WHERE table_schema = 'information_schema'
AND table_name = 'METADATA_LOCK_INFO' AND column_name = 'LOCK_TIME_MS'"""
# The time is NULL for a lock that was taken before the plugin was loaded.
_LOCKS = """
SELECT thread_id, lock_type, lock_mode, lock_time_ms / 1000, table_schema, table_name
FROM information_schema.metadata_lock_info
WHERE lock_type IN ('Table metadata lock', 'Backup lock', 'User lock')"""
# Modes that keep readers or writers out of a table, and those that keep writers out of the whole server.
_KEEPS_OUT = frozenset(
    (
        *("MDL_EXCLUSIVE", "MDL_SHARED_NO_READ_WRITE", "MDL_SHARED_NO_WRITE", "MDL_SHARED_READ_ONLY"),
        *("MDL_BACKUP_FTWRL1", "MDL_BACKUP_FTWRL2", "MDL_BACKUP_WAIT_FLUSH", "MDL_BACKUP_WAIT_DDL"),
        *("MDL_BACKUP_WAIT_COMMIT", "MDL_BACKUP_BLOCK_DDL"),
    )
)


def limit_statement(account: str, sessions: int) -> str:
    """The SQL that limits the account; 0 takes the limit away."""
    return f"ALTER USER {quoted(account)}@'{HOST}' WITH MAX_USER_CONNECTIONS {sessions}"


def ending_statement(session: str) -> str:
    """The SQL that ends a session."""
    return f"KILL CONNECTION {session}"


def ending_idle(account: str) -> str:
    """What `end_idle` does, as a person would type it."""
    return f"{ending_statement('id')}; -- for each of {_IDLE % quoted(account)}"


def end_idle(ask: Ask, account: str) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many."""
    idle = ask(_IDLE, account)
    for (thread,) in idle:
        ask(ending_statement(str(int(thread))))
    return len(idle)


def end_one(ask: Ask, session: int) -> bool:
    """End the session; False where it had ended already."""
    is_there = bool(ask(_IS_THERE, session))
    ask(ending_statement(str(session)))
    return is_there


def is_ours(ask: Ask, session: int) -> bool:
    """True where the session is a repair of Lakeproof's own; False also where the server does not show locks."""
    return bool(ask(_LOCKS_SHOWN)) and session in _ours([lock_of(row) for row in ask(_LOCKS)])


def blocker(ask: Ask) -> Blocker | None:
    """The session that keeps the most others waiting, for rows or for whole tables; None where none does.

    Locks on tables are left out where the server does not show them.
    """
    # A transaction that has not written has the id 0, and so may others: nothing tells which of them is meant.
    transactions = {name: row for name, *row in ask(_TRANSACTIONS) if int(name)}
    # A transaction that ended between the two queries is in one of the answers alone.
    waits = [
        (int(transactions[waiter][0]), int(transactions[holder][0]))
        for waiter, holder in ask(_ROW_WAITS)
        if waiter in transactions and holder in transactions
    ]
    waited = {int(number): float(seconds) for number, seconds, _ in transactions.values() if seconds is not None}
    ages = {int(number): float(age) for number, _, age in transactions.values()}
    processes = ask(_PROCESSES)
    waited |= {int(number): float(seconds) for number, *_, seconds, _ in processes if seconds is not None}
    wanting = [
        Wanting(int(number), state == BACKUP_LOCK, tables_in(said or "", database or ""))
        for number, _, database, state, _, said in processes
        if state in TABLE_WAITS
    ]
    ours = set[int]()
    if wanting and ask(_LOCKS_SHOWN):
        locks = [lock_of(row) for row in ask(_LOCKS)]
        ours = _ours(locks)
        held = [lock for lock in locks if lock.kind != USER_LOCK]
        waits += table_waits(wanting, held)
        for lock in held:
            ages[lock.session] = max(ages.get(lock.session, 0.0), lock.held)
    sessions = {
        int(number): Session(str(user), waited.get(int(number)), ages.get(int(number), 0.0), int(number) in ours)
        for number, user, *_ in processes
    }
    return blocker_of(waits, sessions)


def quoted(text: str) -> str:
    """The text as a literal of SQL, in which a backslash begins an escape."""
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


@contextmanager
def session(stack: Stack, user: str, secret: str, seconds: float, database: str | None = None) -> Iterator[Ask]:
    """A session of the account. The administrator's one place may be taken for a moment; then it is tried again.

    Raises: NoneLeft, CouldNotLook.
    """
    import pymysql

    deadline = Deadline(seconds)
    while True:
        try:
            connection = mysql.connect(stack, user, secret, max(1.0, deadline.left), database)
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


@dataclass(frozen=True)
class Lock:
    """A row of _LOCKS. held: for how many seconds. schema: the table's schema; for a user lock, the lock's name."""

    session: int
    kind: str
    mode: str
    held: float
    schema: str
    table: str


def lock_of(row: tuple[Any, ...]) -> Lock:
    """The lock that a row of _LOCKS tells of."""
    session, kind, mode, held, schema, table = row
    return Lock(int(session), kind, mode, math.inf if held is None else float(held), schema or "", table or "")


def _ours(locks: Sequence[Lock]) -> set[int]:
    """The sessions that hold a user lock of a repair of Lakeproof's own."""
    return {lock.session for lock in locks if lock.kind == USER_LOCK and lock.schema.startswith(OURS)}


@dataclass(frozen=True)
class Wanting:
    """A session that waits for a lock on whole tables.

    for_all: it waits for the lock by which a backup keeps all writers out.
    tables: schema and name of the tables that its statement names.
    """

    session: int
    for_all: bool
    tables: frozenset[tuple[str, str]]


def tables_in(said: str, database: str) -> frozenset[tuple[str, str]]:
    """Schema and name of each table that a statement names after FROM, JOIN, INTO, UPDATE, TABLE or TRUNCATE.

    database: the schema of a name without one.
    """
    named = (name for list_ in _TABLES.finditer(said) for name in list_[1].split(","))
    found = filter(None, (_NAME.match(name.strip()) for name in named))
    parts = ([part.strip("` ") for part in each[0].split(".")] for each in found)
    return frozenset((each[0], each[1]) if len(each) > 1 else (database, each[0]) for each in parts)


def table_waits(wanting: Sequence[Wanting], held: Sequence[Lock]) -> list[tuple[int, int]]:
    """Pairs of (a session that waits, a session ahead of it), which may wait itself.

    A session that keeps others out of a table is ahead of all that want the table. Where none does, one of the
    waiting sessions keeps the others out. It waits for those that write the table or, if none writes, for those that
    read it.
    """
    found = []
    for each in wanting:
        wanted = [
            lock
            for lock in held
            if lock.session != each.session
            and (lock.kind == BACKUP_KIND if each.for_all else (lock.schema, lock.table) in each.tables)
        ]
        first = [lock for lock in wanted if lock.mode in _KEEPS_OUT]
        first = first or [lock for lock in wanted if lock.mode == "MDL_SHARED_WRITE"] or wanted
        found += [(each.session, lock.session) for lock in first]
    return found
