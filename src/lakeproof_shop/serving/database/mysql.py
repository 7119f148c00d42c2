"""Connections of a service to MariaDB or MySQL, and statements on them, with errors by their meaning."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import asyncmy
from asyncmy.errors import Error, InterfaceError, MySQLError, OperationalError

from lakeproof_shop.serving.database.errors import Conflict, DatabaseDown, DatabaseFull, DatabaseRefused, Duplicate

Row = tuple[Any, ...]

_LOST = frozenset({0, 1053, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2003, 2006, 2013, 2014, 2055})
_CONFLICTS = frozenset({1205, 1213})  # lock wait timeout, deadlock
_DUPLICATE = 1062
_FULL = frozenset({1040, 1203, 1226})  # too many connections: of all users, or of this one


class Connection(Protocol):
    """The part of the driver's connection that is used here."""

    def cursor(self) -> Any: ...
    def close(self) -> None: ...


def connector(
    host: str, port: int, user: str, password: str, database: str, *, connect_seconds: float, statement_seconds: float
) -> Callable[[], Awaitable[Connection]]:
    """A function that opens one connection: UTC, READ COMMITTED, autocommit outside explicit transactions.

    The server itself ends a statement or a wait for a lock after `statement_seconds`, so that work which a client has
    given up does not go on holding locks. Opening raises DatabaseDown, DatabaseFull.
    """
    session = (
        "SET time_zone = '+00:00';"
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
        f"SET SESSION innodb_lock_wait_timeout = {max(1, round(statement_seconds))};"
        f"SET /*M!100108 SESSION max_statement_time = {statement_seconds:.3f}, */ @lakeproof = 1"
    )

    async def connect() -> Connection:
        try:
            connection: Connection = await asyncmy.connect(
                host=host,
                port=port,
                user=user,
                password=password,
                database=database,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=connect_seconds,
            )
        except (Error, OSError) as error:
            code = error.args[0] if isinstance(error, OperationalError) and error.args else type(error).__name__
            raise (DatabaseFull if code in _FULL else DatabaseDown)(f"cannot connect ({code})") from error
        try:
            await execute(connection, session)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


async def execute(connection: Connection, statements: str, args: Sequence[object] | None = None) -> list[list[Row]]:
    """Send `statements` (one or several, parted by ";", in one round trip). Gives a list of rows for each statement
    that gives rows, in order.

    The server stops at the first statement that fails. Raises: DatabaseDown, Conflict, Duplicate, DatabaseRefused.
    """
    cursor = connection.cursor()
    try:
        results: list[list[Row]] = []
        await cursor.execute(statements, args)
        while True:
            if cursor.description is not None:
                results.append(list(await cursor.fetchall()))
            if not await cursor.nextset():
                return results
    except (MySQLError, OSError, EOFError) as error:
        raise named(error) from error


def named(error: BaseException) -> Exception:
    """The error of errors.py that says what an error of the driver or the socket means to a caller."""
    if isinstance(error, MySQLError):
        code = error.args[0] if error.args and isinstance(error.args[0], int) else -1
        if isinstance(error, InterfaceError) or code in _LOST:
            return DatabaseDown(f"connection lost ({code})")
        if code in _CONFLICTS:
            return Conflict(f"error {code}")
        if code == _DUPLICATE:
            return Duplicate(str(error.args[1]) if len(error.args) > 1 else "")
        return DatabaseRefused(f"error {code}: {error.args[1] if len(error.args) > 1 else error}")
    return DatabaseDown(f"connection lost ({type(error).__name__})")
