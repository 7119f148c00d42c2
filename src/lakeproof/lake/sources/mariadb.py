"""MariaDB (or MySQL) as a source, by its binlog. The same functions as postgres.py; engine.py says what they do.

Statements run as root; those about accounts with the binlog off, since its readers have no business with accounts.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import batched
from typing import TYPE_CHECKING, Any

import pymysql

from lakeproof.errors import CouldNotLook, NotReady, TerminalError
from lakeproof.lake.capture.connector import SIGNALS, Connector
from lakeproof.lake.sources.engine import (
    ASK_SECONDS,
    KEPT_VALUES,
    READER,
    Ask,
    Definition,
    Keep,
    nothing_to_grant,
)
from lakeproof.stack.engines import mysql, mysql_accounts
from lakeproof.stack.engines.mysql_sessions import NO_SUCH_THREAD, OURS, quoted
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

TROUBLES: tuple[type[Exception], ...] = (pymysql.MySQLError, OSError)
RESTORES_COLUMNS = True
SIGNAL_SECONDS = 10.0
# An ALTER TABLE waits for the transactions that use the table.
ALTER_SECONDS = 20.0
# The server gives up waiting for a table's lock after this time, which is before the client gives up (ALTER_SECONDS):
# it must not go on waiting for a client that is gone.
LOCK_SECONDS = 15
# Rows filled by one transaction. The job hands a transaction of more than some 140,000 rows on in pieces (decision
# 0021), and a statement has to end within ALTER_SECONDS.
FILLED_ROWS = 10_000
# MySQL has no max_statement_time, and ignores the comment.
_MOST_SECONDS = "SET /*M!100108 SESSION max_statement_time = {}, */ @lakeproof = 1"
# The binlog's settings that the capture needs. A session keeps the values that counted when it began. A variable that
# the server does not have is left out (binlog_row_value_options is MySQL's).
LOG_NEEDS = {
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_value_options": "",
    "binlog_legacy_event_pos": "ON",
}
ONLY_AT_A_START = "log_bin"


def connect(stack: Stack, user: str, seconds: float, database: str | None = None) -> "Connection[Cursor]":
    """As Engine."""
    return mysql.connect(stack, user, f"mysql-{user}", seconds, database)


def beat(connection: "Connection[Cursor]", table: str, seconds: float) -> int:
    """As Engine."""
    with connection.cursor() as cursor:
        cursor.execute("SET @beat = CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)")
        cursor.execute(f"INSERT INTO {table} (id, beat_us) VALUES (1, @beat) ON DUPLICATE KEY UPDATE beat_us = @beat")
        cursor.execute("SELECT @beat")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@contextmanager
def at_one_instant(stack: Stack, database: str, seconds: float) -> Iterator[Ask]:
    """As Engine; the one transaction sees every database of the server."""
    try:
        connection = mysql.connect(stack, READER, f"mysql-{READER}", seconds, connect_seconds=ASK_SECONDS)
    except pymysql.Error as error:
        raise CouldNotLook(f"no connection: {error.args[-1]}", where="mysql", next_action="lakeproof ps") from error

    def ask(sql: str) -> list[tuple[Any, ...]]:
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error as error:
            raise CouldNotLook(f"no answer: {error.args[-1]}", where="mysql") from error

    try:
        ask("SET SESSION time_zone = '+00:00'")
        # At a lower isolation level, which an external server may have as its default, the snapshot would not hold.
        ask("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ask("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield ask
    finally:
        connection.close()


def described(ask: Ask, schema: str, table: str) -> list[tuple[Any, ...]]:
    """As Engine."""
    rows = ask(
        "SELECT column_name, data_type, column_key FROM information_schema.columns "
        f"WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position"
    )
    return [(column, kind, key == "PRI") for column, kind, key in rows]


def columns(stack: Stack, connector: Connector, seconds: float) -> dict[str, dict[str, str]]:
    """As Engine, asked by the account `reader`."""
    found: dict[str, dict[str, str]] = {table: {} for table in connector.sources}
    with _session(stack, READER, seconds) as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = %s",
            (connector.database,),
        )
        for table, column, kind in cursor.fetchall():
            if (name := f"{connector.database}.{table}") in found:
                found[name][str(column)] = str(kind).lower()
    return found


def definition(stack: Stack, connector: Connector, table: str, column: str) -> Definition | None:
    """As Engine. MariaDB tells a default of NULL as the text NULL, MySQL as no default."""
    with _session(stack, READER, ASK_SECONDS) as cursor:
        cursor.execute(
            "SELECT column_type, is_nullable, column_default, extra FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            (connector.database, table.rpartition(".")[2], column),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    kind, nullable, default, extra = row
    filled = default not in (None, "NULL") or "auto_increment" in str(extra).lower()
    generated = " GENERATED" in str(extra).upper() and "DEFAULT_GENERATED" not in str(extra).upper()
    return Definition(str(kind).lower(), nullable == "YES", filled, generated)


def nullable_columns(stack: Stack, connector: Connector, seconds: float) -> set[str]:
    """The columns that allow NULL, as `database.table.column`. Raises: NotReady."""
    with _session(stack, READER, seconds) as cursor:
        cursor.execute(
            "SELECT CONCAT_WS('.', table_schema, table_name, column_name) FROM information_schema.columns"
            " WHERE table_schema = %s AND is_nullable = 'YES'",
            (connector.database,),
        )
        return {str(row[0]) for row in cursor.fetchall()}


def values_in(stack: Stack, connector: Connector, table: str, column: str) -> list[str]:
    """As Engine. Compared byte by byte: the session's own collation takes `VIP` and `vip` for one value."""
    with _session(stack, READER, ASK_SECONDS) as cursor:
        return _values_in(cursor, table, column)


def _values_in(cursor: Any, table: str, column: str) -> list[str]:
    cursor.execute(
        f"SELECT DISTINCT CAST(CAST(`{column}` AS CHAR) AS BINARY) FROM {table}"
        f" WHERE `{column}` IS NOT NULL LIMIT {KEPT_VALUES}"
    )
    return [row[0].decode(errors="replace") for row in cursor.fetchall()]


def drop_column(stack: Stack, connector: Connector, table: str, column: str, keep: Keep) -> None:
    """As Engine. The end of the connection releases the lock."""
    with as_root(stack, ALTER_SECONDS) as cursor:
        lock_out(cursor, table)
        # The shop waits while the table is locked, so reading the values is given up after ASK_SECONDS.
        cursor.execute(_MOST_SECONDS.format(ASK_SECONDS))
        keep(_values_in(cursor, table, column))
        cursor.execute(_MOST_SECONDS.format("DEFAULT"))
        cursor.execute(f"ALTER TABLE {table} DROP COLUMN `{column}`")


def rename_column(stack: Stack, connector: Connector, table: str, column: str, name: str) -> None:
    """As Engine."""
    with as_root(stack, ALTER_SECONDS) as cursor:
        mark_ours(cursor)
        cursor.execute(f"ALTER TABLE {table} RENAME COLUMN `{column}` TO `{name}`")


def add_filled_column(
    stack: Stack,
    table: str,
    column: str,
    definition: str,
    values: Mapping[int, str],
    keys: Mapping[str, str] | None = None,
) -> None:
    """Add the column and fill it. values: row's id → value. Where the column exists, only its NULLs are filled.

    keys: name → definition of the table's keys with that column. They were dropped with the column, or lost it.

    The rows are filled by transactions of FILLED_ROWS each, and nobody else reads or writes the table meanwhile: the
    shop goes on the moment that it finds the column, and would sell orders with the NULLs of rows that are not filled
    yet. The end of the connection releases the lock; a run cut off half-way leaves a column that allows NULL.
    Raises: TerminalError where a row has no value and the definition wants one; nothing is changed then.
    """
    with as_root(stack, ALTER_SECONDS) as cursor:
        kept = f"{table.partition('.')[0]}.lakeproof_kept_values"
        cursor.execute(f"CREATE TEMPORARY TABLE {kept} (id BIGINT PRIMARY KEY, kept TEXT)")
        cursor.executemany(f"INSERT INTO {kept} (id, kept) VALUES (%s, %s)", list(values.items()))
        lock_out(cursor, table)
        if "NOT NULL" in definition:
            _require_values(cursor, table, column, kept)
        cursor.execute(
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS `{column}` {definition.replace('NOT NULL', 'NULL')}"
        )
        for ids in batched(sorted(values), FILLED_ROWS):
            cursor.execute(
                f"UPDATE {table} JOIN {kept} USING (id) SET `{column}` = kept"
                f" WHERE id BETWEEN %s AND %s AND `{column}` IS NULL",
                (ids[0], ids[-1]),
            )
        anew = "".join(f", DROP KEY IF EXISTS `{name}`, ADD {key}" for name, key in (keys or {}).items())
        cursor.execute(f"ALTER TABLE {table} MODIFY `{column}` {definition}{anew}")


def lock_out(cursor: Any, table: str) -> None:
    """For a repair: lock everybody else out of the table until the connection ends."""
    mark_ours(cursor)
    lock_table(cursor, table)


def lock_table(cursor: Any, table: str) -> None:
    """As lock_out, without the mark of a repair."""
    cursor.execute(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    cursor.execute(f"LOCK TABLES {table} WRITE")


def mark_ours(cursor: Any) -> None:
    """Mark this session by a user lock as a repair's, so that others do not end it (mysql_sessions.py)."""
    cursor.execute(f"SELECT GET_LOCK(CONCAT('{OURS}', CONNECTION_ID()), 0)")


def _require_values(cursor: Any, table: str, column: str, kept: str) -> None:
    """Raises: TerminalError, before anything is changed, where a row has a value neither among the kept ones nor in
    the column, which exists already where an earlier run was cut off.
    """
    cursor.execute(f"SHOW COLUMNS FROM {table} WHERE Field = %s", (column,))
    empty = f"AND `{column}` IS NULL" if cursor.fetchall() else ""
    cursor.execute(f"SELECT COUNT(*), MIN(id) FROM {table} LEFT JOIN {kept} USING (id) WHERE kept IS NULL {empty}")
    without, first = cursor.fetchone()
    if without:
        raise TerminalError(
            f"{without} rows have no value, the first is {first}",
            where=f"{table}.{column}",
            next_action="stop the service; add the column so that it allows NULL, give them theirs, run this again",
        )


def has_rows(stack: Stack, connector: Connector, table: str) -> bool:
    """As Engine."""
    with as_root(stack, SIGNAL_SECONDS) as cursor:
        cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
        return cursor.fetchone() is not None


def send_signal(stack: Stack, connector: Connector, name: str, data: str) -> None:
    """As Engine. This statement is logged: the row reaches the connector through the binlog."""
    with as_root(stack, SIGNAL_SECONDS) as cursor:
        insert = f"INSERT INTO {signals_of(connector)} (id, type, data) VALUES (%s, 'execute-snapshot', %s)"
        cursor.execute(insert, (name, data))


def log_lacks(stack: Stack, connector: Connector, seconds: float) -> list[str]:
    """As Engine: NAME=VALUE of the server's own settings."""
    with _session(stack, READER, seconds) as cursor:
        return [f"{name}={value}" for name, value in _log_settings(cursor).items() if value != LOG_NEEDS[name]]


def _log_settings(cursor: Any) -> dict[str, str]:
    listed = ", ".join(quoted(name) for name in LOG_NEEDS)
    cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})")
    found = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
    return {name: found[name] for name in LOG_NEEDS if name in found}


def log_statements(connector: Connector) -> tuple[str, ...]:
    """As Engine, of the settings that every server has."""
    return tuple(_setting(name) for name in ("binlog_format", "binlog_row_image"))


def _setting(name: str) -> str:
    return f"SET GLOBAL {name} = {quoted(LOG_NEEDS[name])}"


def restore_log(stack: Stack, connector: Connector) -> int:
    """As Engine. Ends the sessions of all the stack's writing accounts, even where the settings are right: an earlier
    run may have been cut off, and nobody can ask a session which settings it began with.
    """
    lacking = [told.partition("=")[0] for told in log_lacks(stack, connector, ASK_SECONDS)]
    if ONLY_AT_A_START in lacking:
        raise TerminalError(
            "it writes no binlog, so nothing can be captured",
            where="mysql",
            next_action="start the server with log_bin, then lakeproof diagnose",
        )
    with _unlogged(stack) as cursor:
        for name in lacking:
            cursor.execute(_setting(name))
        return sum(_end_connections(cursor, stack, user) for user in writing_accounts())


def writing_accounts() -> list[str]:
    """The accounts of the stack that write what is captured, as we call them."""
    return [one.user for one in mysql_accounts.ACCOUNTS if any("INSERT" in what for what, _ in one.grants)]


def signals_of(connector: Connector) -> str:
    """The connector's table of signals."""
    return connector.config[SIGNALS].replace("@database@", connector.database)


def accepts(stack: Stack, user: str, seconds: float = ASK_SECONDS) -> bool:
    """As Engine."""
    try:
        with connect(stack, user, seconds):
            return True
    except pymysql.MySQLError as error:
        if error.args and error.args[0] == mysql.ACCESS_DENIED:
            return False
        raise NotReady(f"{type(error).__name__} {error.args}", where="mysql", next_action="lakeproof ps") from error


def account_name(stack: Stack, user: str) -> str:
    """As Engine."""
    secret = next((account.secret for account in mysql_accounts.ACCOUNTS if account.user == user), f"mysql-{user}")
    return stack.account(secret, user)


def _grantee(stack: Stack, user: str) -> str:
    return f"{quoted(account_name(stack, user))}@'{mysql_accounts.HOST}'"


def set_password(stack: Stack, user: str, password: str) -> None:
    """As Engine."""
    with _unlogged(stack) as cursor:
        # The host is "%". It is passed as a parameter, since the text of a statement with parameters is a format.
        name = account_name(stack, user)
        cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (name, mysql_accounts.HOST, password))


def password_statement(stack: Stack, user: str, password: str) -> str:
    """As Engine."""
    return f"ALTER USER {_grantee(stack, user)} IDENTIFIED BY '{password}'"


def grant(stack: Stack, user: str) -> int:
    """As Engine. Where a privilege was missing, the account's connections, which keep the old ones, are ended."""
    statements = grant_statements(stack, user)
    with _unlogged(stack) as cursor:
        before = _grants(cursor, stack, user)
        for statement in statements:
            cursor.execute(statement)
        # The connections are ended on the same session: a second session may find the server full, and the next run
        # would find no privilege missing and end none.
        return 0 if _grants(cursor, stack, user) == before else _end_connections(cursor, stack, user)


def _grants(cursor: Any, stack: Stack, user: str) -> list[str]:
    cursor.execute(f"SHOW GRANTS FOR {_grantee(stack, user)}")
    return sorted(str(row[0]) for row in cursor.fetchall())


def grant_statements(stack: Stack, user: str) -> tuple[str, ...]:
    """As Engine."""
    for account in mysql_accounts.ACCOUNTS:
        if account.user == user:
            grantee = _grantee(stack, user)
            return tuple(f"GRANT {privileges} ON {scope} TO {grantee}" for privileges, scope in account.grants)
    raise nothing_to_grant(user, [account.user for account in mysql_accounts.ACCOUNTS])


def holds(stack: Stack, user: str, privilege: str) -> bool:
    """Does the account have that global privilege? Raises: NotReady."""
    with as_root(stack, ASK_SECONDS) as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.user_privileges WHERE grantee = %s AND privilege_type = %s",
            (_grantee(stack, user), privilege),
        )
        return cursor.fetchone() is not None


def give(stack: Stack, user: str, privilege: str) -> None:
    """Give one global privilege. Raises: NotReady."""
    with _unlogged(stack) as cursor:
        cursor.execute(f"GRANT {privilege} ON *.* TO {_grantee(stack, user)}")


def revoke(stack: Stack, user: str, privilege: str) -> None:
    """Take one global privilege away; fine where it is not there. Raises: NotReady."""
    with _unlogged(stack) as cursor:
        cursor.execute(f"REVOKE {privilege} ON *.* FROM {_grantee(stack, user)}")


def replica_ids(stack: Stack) -> set[int]:
    """The server ids that are taken: the server's own, and those of the replicas that have reported theirs.

    Raises: NotReady.
    """
    with as_root(stack, ASK_SECONDS) as cursor:
        cursor.execute("SELECT @@server_id")
        (own,) = cursor.fetchone()
        cursor.execute("SHOW SLAVE HOSTS")
        return {int(own), *(int(row[0]) for row in cursor.fetchall())}


def end_connections(stack: Stack, user: str) -> int:
    """As Engine."""
    with _unlogged(stack) as cursor:
        return _end_connections(cursor, stack, user)


def _end_connections(cursor: Any, stack: Stack, user: str) -> int:
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (account_name(stack, user),))
    found = [int(row[0]) for row in cursor.fetchall()]
    for thread in found:
        try:
            cursor.execute(f"KILL CONNECTION {thread}")
        except pymysql.MySQLError as error:
            # The connection ended by itself between the two statements.
            if error.args[0] != NO_SUCH_THREAD:
                raise
    return len(found)


@contextmanager
def _unlogged(stack: Stack) -> Iterator[Any]:
    with as_root(stack, ASK_SECONDS) as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        yield cursor


def as_root(stack: Stack, seconds: float) -> AbstractContextManager[Any]:
    """A cursor of root, each step within `seconds`. The block raises NotReady for whatever the server refuses."""
    return _session(stack, "root", seconds)


@contextmanager
def _session(stack: Stack, user: str, seconds: float) -> Iterator[Any]:
    try:
        with connect(stack, user, seconds) as connection, connection.cursor() as cursor:
            yield cursor
    except pymysql.MySQLError as error:
        raise NotReady(f"{type(error).__name__} {error.args}", where="mysql", next_action="lakeproof ps") from error
