"""Connections of a service to MariaDB or MySQL: at most `size`, one request each, none trusted after an error.

Not the driver's own pool: that one hands out connections that died while idle, and waits for a free one without an
end. Every wait here ends: for a free connection, for the handshake, for each answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import asyncmy
from asyncmy.errors import Error, InterfaceError, MySQLError, OperationalError

from lakeproof.deadline import Deadline

Row = tuple[Any, ...]

_LOST = frozenset({0, 1053, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2003, 2006, 2013, 2014, 2055})
_CONFLICTS = frozenset({1205, 1213})  # lock wait timeout, deadlock
_DUPLICATE = 1062


class DatabaseDown(Exception):
    """The database did not answer in time, refused, or went away: before any COMMIT was sent."""


class TooBusy(Exception):
    """No connection became free in time."""


class Conflict(Exception):
    """A deadlock or a lock held by somebody else; the transaction is rolled back, a retry helps."""


class Duplicate(Exception):
    """A unique key exists already."""


class DatabaseRefused(Exception):
    """The database refused the statement: rights, read-only, a constraint. A retry does not help at once."""


class CommitUnclear(Exception):
    """The connection was lost, or no answer came, while COMMIT was under way."""


class Connection(Protocol):
    """What is used of the driver's connection."""

    def cursor(self) -> Any: ...
    def close(self) -> None: ...


def connector(
    host: str, port: int, user: str, password: str, database: str, *, connect_seconds: float, statement_seconds: float
) -> Callable[[], Awaitable[Connection]]:
    """A function that opens one connection: UTC, READ COMMITTED, autocommit outside explicit transactions.

    `statement_seconds` also bounds statements and lock waits in the server, so that what a client has given up
    does not go on holding locks.
    """
    session = (
        "SET time_zone = '+00:00';"
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
        f"SET SESSION innodb_lock_wait_timeout = {max(1, round(statement_seconds))};"
        f"SET /*M!100108 SESSION max_statement_time = {statement_seconds:.3f}, */ @lakeproof = 1"
    )

    async def connect() -> Connection:
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
        try:
            await execute(connection, session)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


async def execute(connection: Connection, statements: str, args: Sequence[object] | None = None) -> list[list[Row]]:
    """Send `statements` (several, parted by ";", in one round trip); the rows of those that give rows, in order.

    The server stops at the first one that fails. Raises: DatabaseDown, Conflict, Duplicate, DatabaseRefused.
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
    """The driver's or the socket's error by what it means to a caller."""
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


class ConnectionPool:
    """At most `size` connections. `wait_seconds`: for a free one; `connect_seconds`: for a new one.

    More than `queue_limit` waiting requests are refused at once: a longer queue would only time out later.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        size: int,
        *,
        wait_seconds: float = 2.0,
        connect_seconds: float = 2.0,
        queue_limit: int = 500,
    ) -> None:
        self._connect, self.size = connect, size
        self._wait_seconds, self._connect_seconds, self._queue_limit = wait_seconds, connect_seconds, queue_limit
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self.in_use = self.waiting = 0

    @property
    def idle(self) -> int:
        """Open connections that nobody uses."""
        return len(self._idle)

    @contextlib.asynccontextmanager
    async def connection(self, deadline: Deadline) -> AsyncIterator[Connection]:
        """One connection for the block; after any error in the block it is thrown away, never given to another.

        Raises: TooBusy, DatabaseDown.
        """
        await self._take_slot(deadline)
        self.in_use += 1
        try:
            connection = self._idle.pop() if self._idle else await self._open(deadline)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        finally:
            self.in_use -= 1
            self._slots.release()

    async def _take_slot(self, deadline: Deadline) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self.waiting >= self._queue_limit:
            raise TooBusy(f"{self.waiting} requests already wait for a connection")
        self.waiting += 1
        try:
            async with asyncio.timeout(min(self._wait_seconds, deadline.left)):
                await self._slots.acquire()
        except TimeoutError as error:
            raise TooBusy(f"no free connection of {self.size} within {self._wait_seconds:g} s") from error
        finally:
            self.waiting -= 1

    async def _open(self, deadline: Deadline) -> Connection:
        seconds = min(self._connect_seconds, deadline.left)
        try:
            async with asyncio.timeout(seconds):
                return await self._connect()
        except TimeoutError as error:
            raise DatabaseDown(f"no connection within {seconds:.1f} s") from error
        except (Error, OSError) as error:
            code = error.args[0] if isinstance(error, OperationalError) and error.args else type(error).__name__
            raise DatabaseDown(f"cannot connect ({code})") from error
        except DatabaseRefused as error:
            raise DatabaseDown(f"cannot prepare a session ({error})") from error

    def drop_idle(self) -> None:
        """Close what is idle: when one connection was lost, the others most likely were too."""
        while self._idle:
            self._idle.pop().close()

    async def close(self, seconds: float = 5.0) -> None:
        """Wait up to `seconds` for the connections in use, then close all."""
        deadline = Deadline(seconds)
        while self.in_use and not deadline.expired:
            await asyncio.sleep(min(0.02, deadline.left))
        self.drop_idle()
