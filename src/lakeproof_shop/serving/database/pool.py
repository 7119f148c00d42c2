"""A service's connections to one database: at most `size`, one request each, none trusted after an error.

The drivers' own pools are not used: they hand out connections that died while idle, or wait without end for a free
one. Every wait here has a limit: for a free connection, for the handshake, for each answer.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.errors import DatabaseDown, DatabaseRefused, TooBusy

WAIT_SECONDS = 2.0  # for a free connection; like CONNECT_SECONDS never longer than what is left of the deadline
CONNECT_SECONDS = 2.0  # for opening a new connection
QUEUE_LIMIT = 500  # more waiting requests are refused at once: a longer queue would only time out later


class Closable(Protocol):
    """A connection that is closed at once, without a goodbye that could hang."""

    def close(self) -> None: ...


class ConnectionPool[C: Closable]:
    """At most `size` connections. A health check has a pool of its own, so that a busy pool is not reported as a dead
    database.
    """

    def __init__(self, connect: Callable[[], Awaitable[C]], size: int) -> None:
        self._connect, self.size = connect, size
        self._slots = asyncio.Semaphore(size)
        self._idle: list[C] = []
        self.in_use = self.waiting = 0

    @property
    def idle(self) -> int:
        """Open connections that nobody uses."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """Open connections, and those that are being opened."""
        return self.in_use + self.idle

    @contextlib.asynccontextmanager
    async def connection(self, deadline: Deadline) -> AsyncIterator[C]:
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
        if self.waiting >= QUEUE_LIMIT:
            raise TooBusy(f"{self.waiting} requests already wait for a connection")
        self.waiting += 1
        seconds = min(WAIT_SECONDS, deadline.left)
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise TooBusy(f"no free connection of {self.size} within {seconds:.1f} s") from error
        finally:
            self.waiting -= 1

    async def _open(self, deadline: Deadline) -> C:
        seconds = min(CONNECT_SECONDS, deadline.left)
        try:
            async with asyncio.timeout(seconds):
                return await self._connect()
        except TimeoutError as error:
            raise DatabaseDown(f"no connection within {seconds:.1f} s") from error
        except DatabaseRefused as error:
            raise DatabaseDown(f"cannot prepare a session ({error})") from error

    def drop_idle(self) -> None:
        """Close the idle connections: when one connection was lost, the idle ones most likely were too."""
        while self._idle:
            self._idle.pop().close()

    async def close(self, seconds: float = 5.0) -> None:
        """Wait up to `seconds` until no connection is in use, then close the idle ones."""
        deadline = Deadline(seconds)
        while self.in_use and not deadline.expired:
            await asyncio.sleep(min(0.02, deadline.left))
        self.drop_idle()
