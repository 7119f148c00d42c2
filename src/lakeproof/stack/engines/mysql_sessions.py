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
from lakeproof.stack.engines.sessions import Ask, Blocker, NoneLeft, Session, blocker_of
from lakeproof.stack.stack import Stack

# The account that gets in also where the server is full: user, secret.
ADMINISTRATOR = ("root", "mysql-root")
# By which components log in: user, secret.
ACCOUNTS: Sequence[tuple[str, str]] = [(one.user, one.secret) for one in ALL_ACCOUNTS if one.user != REPORT]
# How many of the sessions it lets in are the administrator's alone. His one place is not among its max_connections.
KEPT = 0
AGAIN_SECONDS = 0.1
NO_SUCH_THREAD = 1094
# A user lock whose name begins so is held by a repair of Lakeproof that keeps others out for a while.
OURS, USER_LOCK = "lakeproof ", "User lock"
_WORDS = re.compile(r"\w+")

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
# Waits for rows. Each list is read in milliseconds: with 200 waiting sessions it took five seconds to join them.
_ROW_WAITS = "SELECT requesting_trx_id, blocking_trx_id FROM information_schema.innodb_lock_waits"
_TRANSACTIONS = """
SELECT trx_id, trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_wait_started, NOW()),
TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.innodb_trx"""
# Locks on whole tables are shown by a plugin, and only those that are held. Who waits for one is seen by its state,
# for which table by what it says. `time_ms`: since that statement began.
BACKUP_LOCK = "Waiting for backup lock"
_TABLE_WAITS = f"state IN ('Waiting for table metadata lock', '{BACKUP_LOCK}')"
_PROCESSES = f"""
SELECT id, user, state, IF({_TABLE_WAITS}, time_ms / 1000, NULL), IF({_TABLE_WAITS}, LEFT(info, 10000), NULL)
FROM information_schema.processlist"""
# Older forms of the plugin do not tell since when.
_LOCKS_SHOWN = """
SELECT 1 FROM information_schema.columns WHERE table_schema = 'information_schema'
AND table_name = 'METADATA_LOCK_INFO' AND column_name = 'LOCK_TIME_MS'"""
# Of a lock from before the plugin was loaded the time is NULL.
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
    transactions = {name: (int(number), waited, age) for name, number, waited, age in ask(_TRANSACTIONS)}
    # One that has ended between two of the questions is in one answer alone.
    waits = [
        (transactions[waiter][0], transactions[holder][0])
        for waiter, holder in ask(_ROW_WAITS)
        if waiter in transactions and holder in transactions
    ]
    waited = {number: float(seconds) for number, seconds, _ in transactions.values() if seconds is not None}
    ages = {number: float(age) for number, _, age in transactions.values()}
    processes = ask(_PROCESSES)
    ours = set[int]()
    for_tables = [(int(number), *row) for number, _, *row in processes if row[1] is not None]
    if for_tables and ask(_LOCKS_SHOWN):
        waited |= {number: float(seconds) for number, _, seconds, _ in for_tables}
        locks = [lock_of(row) for row in ask(_LOCKS)]
        ours = {lock.session for lock in locks if lock.kind == USER_LOCK and lock.schema.startswith(OURS)}
        held = [lock for lock in locks if lock.kind != USER_LOCK]
        waits += table_waits([(number, state, str(said)) for number, state, _, said in for_tables], held)
        for lock in held:
            ages[lock.session] = max(ages.get(lock.session, 0.0), lock.held)
    sessions = {
        int(number): Session(str(user), waited.get(number), ages.get(number, 0.0), int(number) in ours)
        for number, user, *_ in processes
    }
    return blocker_of(waits, sessions)


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


@dataclass(frozen=True)
class Lock:
    """A row of _LOCKS. held: for how many seconds. schema: of a user lock its name."""

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


def table_waits(wanting: Sequence[tuple[int, str, str]], held: Sequence[Lock]) -> list[tuple[int, int]]:
    """(who waits, who is ahead of it). wanting: who waits, its state, what it says.

    Who keeps others out of a table is ahead of all that name it. Where nobody does, one of those who wait wants the
    table for itself: it waits for all who use it, and the others wait behind it.
    """
    waiting = {session for session, _, _ in wanting}
    found = []
    for session, state, said in wanting:
        words = set(_WORDS.findall(said.lower()))
        wanted = [
            lock
            for lock in held
            if lock.session not in waiting
            and (lock.kind == "Backup lock" if state == BACKUP_LOCK else lock.table.lower() in words)
        ]
        first = [lock for lock in wanted if lock.mode in _KEEPS_OUT] or wanted
        found += [(session, lock.session) for lock in first]
    return found
