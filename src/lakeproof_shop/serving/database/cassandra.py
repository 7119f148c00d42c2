"""Cassandra for a service: the driver's threads bridged to asyncio, a time limit for every call, errors by meaning.

A background thread connects again and again, so a service starts without the ring and reports that it is away. A
conditional batch that was sent and not answered may have been done: its caller gets `WriteUnclear` and must find out.
Every other statement may be repeated. The driver sends such a statement to a second node when the first is slow, so
that a frozen node (SIGSTOP) costs three quarters of a second. `Ring` sends it again where a node died meanwhile.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cassandra import (
    ConsistencyLevel,
    InvalidRequest,
    OperationTimedOut,
    ReadFailure,
    ReadTimeout,
    Unauthorized,
    Unavailable,
)
from cassandra.cluster import Cluster, NoHostAvailable, ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseDown, DatabaseRefused
from lakeproof_shop.serving.database.metrics import DatabaseMetrics

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]

READ_SECONDS, WRITE_SECONDS = 2.0, 2.5  # the longest that one try may take
OPEN_PAUSE_SECONDS = 1.0
ATTEMPTS = 3  # tries of a statement that may be repeated
REPEAT_PAUSE_SECONDS = 0.05
TOO_LATE_SECONDS = 0.2
CLOSE_SECONDS = 4.0
BRIDGE_SECONDS = 0.3  # how much later than the driver's timeout ours is, because the driver's error says more


class WriteUnclear(CommitUnclear):
    """A write was sent and not answered, or its coordinator does not know: it may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One prepared statement by its text.

    serial: a read at SERIAL: it first completes conditional writes that are under way, and sees all decided ones.
    conditional: the statement has an IF.
    """

    text: str
    serial: bool = False
    conditional: bool = False


class Ring:
    """The ring for one service. `open_cluster`: makes the driver's Cluster without connecting (cassandra_cluster.py).

    problem: why the ring is not connected; "" once it is.
    """

    def __init__(
        self, open_cluster: Callable[[], Cluster], statements: Sequence[Statement], metrics: DatabaseMetrics
    ) -> None:
        self._open_cluster, self._statements, self._metrics = open_cluster, tuple(statements), metrics
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._prepared: Mapping[Statement, PreparedStatement] = {}
        self._opening: asyncio.Task[None] | None = None
        self.problem = "not connected yet"

    def start(self) -> None:
        """Begin to connect, in the background, until it succeeds."""
        self._opening = asyncio.create_task(self._open(), name="connect to cassandra")

    async def await_connection(self, deadline: Deadline) -> None:
        """Return once the ring is connected, or at the deadline; `problem` then says why it is not."""
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening}, timeout=deadline.left)

    async def close(self) -> None:
        """Stop connecting, and close the connections."""
        if self._opening is not None:
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
        if self._cluster is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.to_thread(self._cluster.shutdown)

    async def read(self, statement: Statement, values: Sequence[object], deadline: Deadline) -> list[Row]:
        """All rows of a read, from all pages. Raises: DatabaseDown, DatabaseRefused."""
        try:
            return await self._repeat(statement, values, READ_SECONDS, deadline, "down")
        except WriteUnclear as error:  # a read changes nothing
            raise DatabaseDown(str(error)) from error

    async def write(self, statement: Statement, values: Sequence[object], deadline: Deadline) -> None:
        """A single write without a condition, which is repeated where its answer is lost: that changes nothing.

        Raises: DatabaseDown (not done), DatabaseRefused, WriteUnclear.
        """
        assert not statement.conditional
        await self._repeat(statement, values, WRITE_SECONDS, deadline)

    async def write_once(self, statement: Statement, values: Sequence[object], deadline: Deadline) -> Row | None:
        """An INSERT … IF NOT EXISTS. Gives None where it wrote the row, else the row that is there already.

        The row has all columns of its table: the key first, the others in the order of their names. The statement is
        repeated where its answer is lost, so the row may be one that this same call wrote.
        Raises: as `write`.
        """
        assert statement.conditional
        ((written, *there),) = await self._repeat(statement, values, WRITE_SECONDS, deadline)
        return None if written else tuple(there)

    async def write_all(self, parts: Sequence[tuple[Statement, Sequence[object]]], deadline: Deadline) -> None:
        """Several writes without conditions in one call. It may be done in part; its caller may repeat it.

        Rows of many partitions are allowed: where every node has every row, one call costs less than a call for each.
        Raises: as `write`.
        """
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for statement, values in parts:
            assert not statement.conditional
            batch.add(self._bind(statement, values))
        batch.consistency_level = ConsistencyLevel.QUORUM
        batch.is_idempotent = True
        await self._send(batch, WRITE_SECONDS, deadline)

    async def _repeat(
        self,
        statement: Statement,
        values: Sequence[object],
        seconds: float,
        deadline: Deadline,
        lost: str = "commit_unclear",
    ) -> list[Row]:
        """Send a statement that may be repeated, at most ATTEMPTS times: again where its answer was lost.

        lost: the kind of error as which the metrics count a lost answer.
        """
        bound = self._bind(statement, values)
        bound.is_idempotent = True
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._send(bound, seconds, deadline, lost)
            except WriteUnclear:
                if deadline.left < TOO_LATE_SECONDS:
                    raise
            await asyncio.sleep(min(REPEAT_PAUSE_SECONDS, deadline.left))
        return await self._send(bound, seconds, deadline, lost)

    async def decide(self, parts: Sequence[tuple[Statement, Sequence[object]]], deadline: Deadline) -> bool:
        """Send one conditional batch on one partition. True where its conditions held and all of it was written.

        Raises: DatabaseDown (not sent), DatabaseRefused, WriteUnclear.
        """
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for statement, values in parts:
            batch.add(self._bind(statement, values))
        batch.consistency_level = ConsistencyLevel.QUORUM
        batch.serial_consistency_level = ConsistencyLevel.SERIAL
        batch.is_idempotent = False
        rows = await self._send(batch, WRITE_SECONDS, deadline)
        return bool(rows[0][0])

    def _bind(self, statement: Statement, values: Sequence[object]) -> BoundStatement:
        if self._session is None:
            raise DatabaseDown(self.problem)
        bound = self._prepared[statement].bind(values)
        bound.consistency_level = ConsistencyLevel.SERIAL if statement.serial else ConsistencyLevel.QUORUM
        return bound

    async def _send(
        self,
        statement: BoundStatement | BatchStatement,
        seconds: float,
        deadline: Deadline,
        lost: str = "commit_unclear",
    ) -> list[Row]:
        session = self._session
        if session is None:
            raise DatabaseDown(self.problem)
        seconds = min(seconds, deadline.left)
        if seconds <= 0:
            raise DatabaseDown("no time left to ask")
        answer = _Answer(asyncio.get_running_loop())
        try:
            answer.follow(session.execute_async(statement, timeout=seconds))
            async with asyncio.timeout(seconds + BRIDGE_SECONDS):
                return await answer.future
        except TimeoutError as error:
            self._metrics.errors.labels(lost).inc()
            raise WriteUnclear(f"no answer within {seconds:.1f} s") from error
        except Exception as error:
            # The driver's errors have no base class in common.
            if isinstance(error, OSError) or type(error).__module__.startswith("cassandra"):
                raise self._named(error, lost) from error
            raise

    def _named(self, error: Exception, lost: str) -> Exception:
        """The error of errors.py that says what the driver's error means to a caller."""
        words = f"{type(error).__name__}: {error}"[:300]
        if isinstance(error, OperationTimedOut) and error.last_host is not None and self._cluster is not None:
            self._cluster.profile_manager.default.load_balancing_policy.suspect(error.last_host)
        if isinstance(error, NoHostAvailable):
            self._metrics.errors.labels("down").inc()
            return DatabaseDown("no node of the ring takes a request")
        if isinstance(error, InvalidRequest | Unauthorized):
            self._metrics.errors.labels("refused").inc()
            logger.error("the database refused a statement", extra={"reason": words})
            return DatabaseRefused(words)
        # A conditional write that reads first may also say that a read failed.
        is_down = isinstance(error, Unavailable | ReadTimeout | ReadFailure)
        self._metrics.errors.labels("down" if is_down else lost).inc()
        return WriteUnclear(words)

    async def _open(self) -> None:
        while True:
            try:
                self._cluster, self._session, self._prepared = await asyncio.to_thread(self._connect)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and connecting is tried again
                self.problem = _words(error)
                self._metrics.errors.labels("down").inc()
                await asyncio.sleep(OPEN_PAUSE_SECONDS)
            else:
                self.problem = ""
                return

    def _connect(self) -> tuple[Cluster, Session, Mapping[Statement, PreparedStatement]]:
        """Blocking; runs in a thread."""
        cluster = self._open_cluster()
        try:
            session = cluster.connect()
            return cluster, session, {each: session.prepare(each.text) for each in self._statements}
        except BaseException:
            cluster.shutdown()
            raise


def _words(error: Exception) -> str:
    if isinstance(error, NoHostAvailable):
        causes = {type(each).__name__ for each in error.errors.values()}
        return f"no node of the ring takes a connection ({', '.join(sorted(causes)) or 'none known'})"
    return f"{type(error).__name__}: {error}"[:200]


class _Answer:
    """Collects the pages of one response into `future`; the driver calls back from its own thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rows: list[Row] = []
        self._response: ResponseFuture | None = None
        self.future: asyncio.Future[list[Row]] = loop.create_future()

    def follow(self, response: ResponseFuture) -> None:
        """Collect the pages of this response."""
        self._response = response
        response.add_callbacks(self._on_page, self._on_error)

    def _on_page(self, rows: list[Row] | None) -> None:
        assert self._response is not None
        self._rows += rows or []
        if self._response.has_more_pages:
            self._response.start_fetching_next_page()
        else:
            self._tell(self._set_rows)

    def _on_error(self, error: Exception) -> None:
        self._tell(lambda: self._set_error(error))

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits for the answer
            self._loop.call_soon_threadsafe(what)

    def _set_rows(self) -> None:
        if not self.future.done():
            self.future.set_result(self._rows)

    def _set_error(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
