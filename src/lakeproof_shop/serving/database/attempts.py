"""Work on a database within a deadline, tried again where that is safe, never done twice.

A transaction that is lost before COMMIT was rolled back, so it may be tried again. COMMIT is sent alone and once. An
answer other than OK, or no answer, does not tell what became of the transaction; the caller then gets CommitUnclear.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.errors import (
    CommitUnclear,
    Conflict,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    DatabaseTrouble,
    Duplicate,
    MadeByAnother,
    SaidNo,
    TooBusy,
)
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.pool import Closable, ConnectionPool

logger = logging.getLogger(__name__)

_ATTEMPTS = 3  # tries after lost connections; after deadlocks work is tried again until the deadline
_TOO_LATE_SECONDS = 0.2


class Attempts[C: Closable]:
    """Runs work on connections of one pool. `execute` sends one statement, and raises the errors of errors.py.

    begin: the statement that starts a transaction; "": the work sends it itself, with others in one round trip.
    """

    def __init__(
        self,
        pool: ConnectionPool[C],
        metrics: DatabaseMetrics,
        execute: Callable[[C, str], Awaitable[object]],
        begin: str = "",
    ) -> None:
        self._pool, self._metrics, self._execute, self._begin = pool, metrics, execute, begin

    async def run[T](self, work: Callable[[C], Awaitable[T]], deadline: Deadline) -> T:
        """The result of `work`, which must not start a transaction.

        Raises: DatabaseDown, TooBusy, DatabaseRefused, Conflict, and any SaidNo that `work` raises.
        """
        return await self._run(work, deadline, None)

    async def transact[T](
        self,
        work: Callable[[C], Awaitable[T]],
        deadline: Deadline,
        changed: Callable[[T], bool] = lambda _: True,
        replay: Callable[[C, Duplicate], Awaitable[T]] | None = None,
    ) -> T:
        """Run `work` in a transaction, then COMMIT, or ROLLBACK where `changed` is False.

        replay: where `work` met a unique key that exists already, reads the row that is there. None: Duplicate is
        raised. Raises: as `run` (nothing was done), and CommitUnclear. The latter also where `replay` cannot read,
        because an earlier call of the same key may have done the change.
        """

        async def work_or_roll_back(connection: C) -> T:
            try:
                if self._begin:
                    await self._execute(connection, self._begin)
                return await work(connection)
            except SaidNo:
                await self._execute(connection, "ROLLBACK")
                raise

        async def end(connection: C, done: T) -> None:
            await (self._commit if changed(done) else self._roll_back)(connection, deadline)

        try:
            return await self._run(work_or_roll_back, deadline, end)
        except Duplicate as error:
            if replay is None:
                raise
            read, duplicate = replay, error
        try:
            return await self.run(lambda connection: read(connection, duplicate), deadline)
        except MadeByAnother:
            raise
        except DatabaseTrouble as error:
            raise CommitUnclear(f"it may have been done before, and that cannot be read now: {error}") from error

    async def _roll_back(self, connection: C, deadline: Deadline) -> None:
        async def roll_back(connection: C) -> None:
            await self._execute(connection, "ROLLBACK")

        await _within(deadline, roll_back, connection)

    async def _commit(self, connection: C, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.left):
                await self._execute(connection, "COMMIT")
        except (TimeoutError, DatabaseDown, DatabaseRefused, Duplicate) as error:
            self._metrics.errors.labels("commit_unclear").inc()
            raise CommitUnclear(str(error) or "no answer to COMMIT in time") from error

    async def _run[T](
        self,
        work: Callable[[C], Awaitable[T]],
        deadline: Deadline,
        end: Callable[[C, T], Awaitable[None]] | None,
    ) -> T:
        """Run `work`, then `end`, with retries. `end` is outside the time limit of `work`: a COMMIT that ran out of
        time must not be taken for work that did, which would be tried again.
        """
        attempt = 0
        while True:
            attempt += 1
            said_no: SaidNo
            try:
                async with self._pool.connection(deadline) as connection:
                    try:
                        done = await _within(deadline, work, connection)
                        if end is not None:
                            await end(connection, done)
                        return done
                    except SaidNo as error:
                        said_no = error  # raised outside the block, so that the pool keeps this sound connection
                raise said_no
            except Conflict:
                self._metrics.errors.labels("conflict").inc()
                if deadline.left < _TOO_LATE_SECONDS:
                    raise
            except DatabaseFull:
                # The database gives no further connection. One of the pool's open connections becomes free in a
                # moment. None of them is closed, because whoever fills the database would take its place.
                self._metrics.errors.labels("full").inc()
                if deadline.left < _TOO_LATE_SECONDS or (attempt >= _ATTEMPTS and not self._pool.open):
                    raise
            except DatabaseDown:
                self._metrics.errors.labels("down").inc()
                self._pool.drop_idle()
                if attempt >= _ATTEMPTS or deadline.left < _TOO_LATE_SECONDS:
                    raise
            except TooBusy:
                self._metrics.errors.labels("busy").inc()
                raise
            except DatabaseRefused as error:
                self._metrics.errors.labels("refused").inc()
                logger.error("the database refused a statement", extra={"reason": str(error)})
                raise
            await asyncio.sleep(min(0.01 * 2**attempt, 0.2) * random.uniform(0.5, 1.0))


async def _within[C, T](deadline: Deadline, work: Callable[[C], Awaitable[T]], connection: C) -> T:
    try:
        async with asyncio.timeout(deadline.left):
            return await work(connection)
    except TimeoutError as error:
        raise DatabaseDown(f"no answer within {deadline.seconds:g} s") from error
