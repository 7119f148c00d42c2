"""Connections of a service to its PostgreSQL database, and statements on them, with errors by their meaning.

What a service uses, in the order in which it needs them:

    pool = ConnectionPool(connector_of(stack, "payment"), settings.pool_size)      # database/pool.py
    attempts = attempts_on(pool, metrics.database)                                 # database/attempts.py
    await attempts.run(work, deadline)          # reads:   async def work(connection): await connection.fetch(…)
    await attempts.transact(work, deadline)     # changes: the same, between BEGIN and COMMIT
    await ask(own_pool, "payments")             # for /health

Arguments are $1, $2 …; numeric comes as Decimal, timestamptz as an aware datetime in UTC, jsonb as text both ways.
A transaction in which a statement failed takes nothing but ROLLBACK, which `transact` sends for SaidNo.
"""

from collections.abc import Awaitable, Callable

import asyncpg

from lakeproof.deadline import Deadline
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack
from lakeproof_shop.serving.database.attempts import Attempts
from lakeproof_shop.serving.database.errors import (
    Conflict,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    Duplicate,
)
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool

type Row = asyncpg.Record

# All errors of the driver and the socket. InternalClientError is no subclass of the driver's other errors; it is
# raised where a connection is lost in the middle of an answer.
TROUBLES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)

CONNECT_SECONDS = 2.0
# SQLSTATE classes and codes which say that the connection or the server is gone, or that time ran out in the server.
_LOST_CLASSES = ("08", "58")
_FULL = "53300"  # too many connections
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", _FULL, "57014", "25P03"})
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, lock timeout
_DUPLICATE = "23505"


class Connection:
    """One connection; it is closed at once, without a goodbye that could hang."""

    def __init__(self, driver: "asyncpg.Connection[Row]") -> None:
        self._driver = driver

    async def fetch(self, statement: str, *args: object) -> list[Row]:
        """The rows of one statement, which the server keeps prepared.

        Raises: DatabaseDown, Conflict, Duplicate (its text is the constraint's name), DatabaseRefused.
        """
        try:
            return await self._driver.fetch(statement, *args)
        except TROUBLES as error:
            raise named(error) from error

    async def execute(self, statements: str) -> None:
        """Send `statements` (one or several, parted by ";", without arguments) in one round trip.

        Raises: as `fetch`; DatabaseRefused also where COMMIT found that the transaction had failed before.
        """
        try:
            done = await self._driver.execute(statements)
        except TROUBLES as error:
            raise named(error) from error
        if statements == "COMMIT" and done != "COMMIT":
            raise DatabaseRefused(f"COMMIT was answered {done}")

    def close(self) -> None:
        """Cut the connection, without waiting for the server."""
        self._driver.terminate()


def attempts_on(pool: ConnectionPool[Connection], metrics: DatabaseMetrics) -> Attempts[Connection]:
    """How a service works on its database, by way of its pool."""
    return Attempts(pool, metrics, lambda connection, statement: connection.execute(statement), "BEGIN")


def connector(
    host: str,
    port: int,
    user: str,
    password: str,
    database: str,
    *,
    connect_seconds: float,
    statement_seconds: float,
) -> Callable[[], Awaitable[Connection]]:
    """A function that opens one connection: UTC, READ COMMITTED, autocommit outside explicit transactions.

    The server itself ends a statement after `statement_seconds`, a wait for a lock a bit sooner, and a transaction
    whose client is silent for twice as long: work that a client has given up must not go on holding locks.
    Opening raises DatabaseDown, DatabaseFull.
    """
    session = {
        "application_name": user,
        "timezone": "UTC",
        "default_transaction_isolation": "read committed",
        "statement_timeout": _milliseconds(statement_seconds),
        "lock_timeout": _milliseconds(0.8 * statement_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(2 * statement_seconds),
    }

    async def connect() -> Connection:
        try:
            driver = await asyncpg.connect(
                host=host,
                port=port,
                user=user,
                password=password,
                database=database,
                ssl=False,
                timeout=connect_seconds,
                server_settings=session,
            )
        except TROUBLES as error:
            code = getattr(error, "sqlstate", None) or type(error).__name__
            raise (DatabaseFull if code == _FULL else DatabaseDown)(f"cannot connect ({code})") from error
        return Connection(driver)

    return connect


def connector_of(
    stack: Stack, service: str, *, statement_seconds: float = 0.0
) -> Callable[[], Awaitable[Connection]]:
    """As `connector`, for the shop's database, in the schema and by the account of `service` ("payment", …).

    `statement_seconds`: 0 means the stack's `shop.request_seconds`.
    """
    host, port = stack.host_port("postgres")
    secret = f"postgres-{service}-service"
    return connector(
        host,
        port,
        stack.account(secret, f"{service}_service"),
        stack.secret(secret),
        DATABASE,
        connect_seconds=CONNECT_SECONDS,
        statement_seconds=statement_seconds or stack.settings.shop.request_seconds,
    )


async def ask(pool: ConnectionPool[Connection], table: str) -> str:
    """A health question: "" where the table may be read and the server takes writes. Raises: DatabaseTrouble."""
    async with pool.connection(Deadline(1.0)) as connection:
        question = f"SELECT current_setting('transaction_read_only'), (SELECT 1 FROM {table} LIMIT 1)"
        ((read_only, _),) = await connection.fetch(question)
        return "the database is read-only" if read_only == "on" else ""


def named(error: BaseException) -> Exception:
    """The error of errors.py that says what an error of the driver or the socket means to a caller."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return DatabaseDown("a table was changed under the connection")  # a new connection prepares anew
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        if code in _LOST or code.startswith(_LOST_CLASSES):
            return DatabaseDown(f"connection lost ({code})")
        if code in _CONFLICTS:
            return Conflict(f"error {code}")
        if code == _DUPLICATE:
            return Duplicate(getattr(error, "constraint_name", None) or "")
        return DatabaseRefused(f"error {code}: {error}")
    if isinstance(error, ValueError):  # an argument of the wrong type never left this process
        return DatabaseRefused(str(error))
    return DatabaseDown(f"connection lost ({type(error).__name__})")


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
