"""The outbox: events that a service writes with its change, in one transaction, and that reach Kafka at least once.

What a service uses:

    await add_event(connection, Event("payment", "17", "payment.captured", {…}))   # within its transaction
    async with relaying(connector_of(stack, "payment", statement_seconds=RELAY_SECONDS),
                        stack.address("kafka", "tcp"), "payment", metrics.registry) as relay:
        relay.wake()              # after a commit; else the relay looks every LOOK_SECONDS
        relay.problem             # "" or why events are not sent, for /health (works_without={"kafka"})
        relay.ended               # "" or which part of the relay ended; /health is then unhealthy

The provision hook of postgres makes the table (outbox.sql) in every service's schema; event_delivery.py says what a
message looks like.

A row is marked as sent only after Kafka acknowledged it. A crash in between sends the event again, so consumers drop
an `event_id` that they have seen. The events of one aggregate keep their order, except where Kafka took only a part
of a batch before it went away: these events come once more. While Kafka is away rows stay, and requests go on:
sending runs in a thread. Rows that were sent are deleted after a day.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof.stack.topics import event_topic
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.event_delivery import EventDelivery, OutboxMetrics, message_of
from lakeproof_shop.serving.traces import trace_id

logger = logging.getLogger(__name__)

BATCH = 500
LOOK_SECONDS = 0.5
LINGER_SECONDS = 0.05  # the wait between a wake-up and the look, so that events which come together are one batch
COUNT_SECONDS = 1.0
RELAY_SECONDS = 30.0  # the relay's own statement limit: its transaction stays open for a whole delivery
KEPT_SECONDS = 86_400.0  # how long a row is kept after it was sent
SWEEP_SECONDS = 60.0
SWEPT_AT_ONCE = 5_000
FAILED_PAUSE_SECONDS = 2.0
# After this time an event that waits while another relay has the turn, and does not send, is reported as a problem.
TURN_SECONDS = 10.0
# One relay of an outbox sends at a time: two would mix up the order of one aggregate's events. The lock's key has the
# table in it: a number alone would be one lock for all services of the database, and a relay that hangs would hold up
# the other services.
TURN = 5_401_117
TAKE_TURN = "SELECT pg_try_advisory_xact_lock($1, 'outbox'::regclass::oid::integer)"

INSERT = (
    "INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id)"
    " VALUES ($1, $2, $3, $4, $5::jsonb, $6)"
)
_TAKE = (
    "SELECT id, event_id, aggregate, aggregate_id, type, payload, trace_id, created_at FROM outbox"
    " WHERE sent_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
)
_MARK = "UPDATE outbox SET sent_at = clock_timestamp() WHERE id = ANY($1::bigint[])"
_COUNT = "SELECT count(*), min(created_at) FROM outbox WHERE sent_at IS NULL"
_SWEEP = (
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
    " WHERE sent_at < clock_timestamp() - $1::text::interval ORDER BY sent_at LIMIT $2) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the `aggregate` with that id. `data`: anything that orjson can write."""

    aggregate: str
    aggregate_id: str
    type: str
    data: Mapping[str, Any]
    event_id: uuid.UUID = field(default_factory=uuid.uuid4)

    def args(self) -> tuple[object, ...]:
        """The arguments of INSERT, with the trace id of the request under way."""
        payload = orjson.dumps(self.data).decode()
        return self.event_id, self.aggregate, self.aggregate_id, self.type, payload, trace_id.get()


async def add_event(connection: Connection, event: Event) -> None:
    """Write the event; call it within the transaction of the change. Raises: as `Connection.fetch`."""
    await connection.fetch(INSERT, *event.args())


class OutboxRelay:
    """Sends the events of one service's outbox, from its construction (inside the event loop) to `close`.

    One per process. problem: why events are not sent, or "". Failures are counted, reported there, and tried again.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        bootstrap_servers: str,
        service: str,
        metrics: OutboxMetrics,
    ) -> None:
        self._pool = ConnectionPool(connect, 2)  # one to send, one to count meanwhile
        self._delivery = EventDelivery(bootstrap_servers, event_topic(service), "lakeproof_shop.serving.outbox.kafka")
        self._metrics = metrics
        self._woken = asyncio.Event()
        self._oldest: datetime | None = None
        self.problem = ""
        metrics.oldest.set_function(self._oldest_seconds)
        self._works = Background({"outbox relay": self._send_forever(), "outbox count": self._count_forever()})

    def wake(self) -> None:
        """Look at once, because there is a new event."""
        self._woken.set()

    @property
    def ended(self) -> str:
        """ "" or the part that ended by itself, which does not start again."""
        return self._works.ended

    async def _send_forever(self) -> None:
        while True:
            taken = 0
            try:
                async with asyncio.timeout(RELAY_SECONDS):
                    taken = await self._send_batch()
            except TimeoutError:
                self._fail("database", f"the database: no answer within {RELAY_SECONDS:g} s")
            except (DatabaseTrouble, SaidNo) as error:
                self._fail("database", f"the database: {error}")
            except (KafkaException, BufferError) as error:
                self._fail("kafka", f"kafka: {error}")
            if self.problem:
                await asyncio.sleep(FAILED_PAUSE_SECONDS)
            elif taken < BATCH:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._woken.wait()
                        await asyncio.sleep(LINGER_SECONDS)
            self._woken.clear()

    async def _count_forever(self) -> None:
        """Count the events that wait, and delete old rows. A failure is not reported here: `_send_forever` meets it
        too, and reports it.
        """
        swept_at = float("-inf")
        while True:
            with contextlib.suppress(DatabaseTrouble, SaidNo, TimeoutError):
                async with (
                    asyncio.timeout(RELAY_SECONDS),
                    self._pool.connection(Deadline(RELAY_SECONDS)) as connection,
                ):
                    ((unsent, self._oldest),) = await connection.fetch(_COUNT)
                    self._metrics.unsent.set(unsent)
                    if time.monotonic() - swept_at >= SWEEP_SECONDS:
                        swept = await connection.fetch(_SWEEP, f"{KEPT_SECONDS} seconds", SWEPT_AT_ONCE)
                        swept_at = swept_at if len(swept) == SWEPT_AT_ONCE else time.monotonic()
            await asyncio.sleep(COUNT_SECONDS)

    async def close(self) -> None:
        """Give up the delivery under way; its rows stay unmarked."""
        self._delivery.stop()
        await self._works.stop()
        await self._pool.close(1.0)

    async def _send_batch(self) -> int:
        """Take rows, send them, mark those that Kafka has. Gives the number of rows that were taken."""
        async with self._pool.connection(Deadline(RELAY_SECONDS)) as connection:
            # No need to wait for the disk: a mark that a crash loses only lets the event be sent again.
            await connection.execute("BEGIN; SET LOCAL synchronous_commit = off")
            ((has_turn,),) = await connection.fetch(TAKE_TURN, TURN)
            rows = await connection.fetch(_TAKE, BATCH) if has_turn else []
            if not rows:
                await connection.execute("ROLLBACK")
                waited = 0.0 if has_turn else self._oldest_seconds()
                if waited > TURN_SECONDS:
                    self._fail("turn", "another relay has had the turn for long and does not send")
                else:
                    self.problem = ""
                return 0
            messages = ((row["id"], row["aggregate_id"], message_of(row)) for row in rows)  # made in the thread
            delivered, trouble = await asyncio.to_thread(self._delivery.deliver, messages)
            if delivered:
                await connection.fetch(_MARK, delivered)
                await connection.execute("COMMIT")
                self._metrics.sent.inc(len(delivered))
            else:
                await connection.execute("ROLLBACK")
        if trouble:
            self._fail("kafka", f"kafka: {trouble}")
        else:
            self.problem = ""
        return len(rows)

    def _oldest_seconds(self) -> float:
        return max(0.0, (datetime.now(UTC) - self._oldest).total_seconds()) if self._oldest else 0.0

    def _fail(self, stage: str, problem: str) -> None:
        if problem != self.problem:
            logger.warning("events wait", extra={"stage": stage, "reason": problem})
        self.problem = problem
        self._metrics.failures.labels(stage).inc()


@contextlib.asynccontextmanager
async def relaying(
    connect: Callable[[], Awaitable[Connection]], bootstrap_servers: str, service: str, registry: CollectorRegistry
) -> AsyncIterator[OutboxRelay]:
    """A relay that runs for the block."""
    relay = OutboxRelay(connect, bootstrap_servers, service, OutboxMetrics(registry))
    try:
        yield relay
    finally:
        await relay.close()
