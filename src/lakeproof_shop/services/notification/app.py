"""The notification service as a process: `python -m lakeproof_shop.services.notification.app`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import NotificationSettings, ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.notification.api import ROUTE_LIMITS, NotificationApi, router
from lakeproof_shop.services.notification.consumer import GROUP, EventReader
from lakeproof_shop.services.notification.customers import Customers
from lakeproof_shop.services.notification.event_store import EventStore
from lakeproof_shop.services.notification.incoming import TOPICS
from lakeproof_shop.services.notification.leases import Leases
from lakeproof_shop.services.notification.limiter import Limiter
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import Channel
from lakeproof_shop.services.notification.preference_store import PreferenceStore
from lakeproof_shop.services.notification.providers import MailProvider, Provider, WebhookProvider
from lakeproof_shop.services.notification.sender import Retries, Sender
from lakeproof_shop.services.notification.store import NotificationStore
from lakeproof_shop.services.notification.worker import Workers
from lakeproof_shop.serving import redis_connection
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, ask, connector_of
from lakeproof_shop.serving.event_consumer import EventConsumer
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.mail_greeting import greeting_problem
from lakeproof_shop.serving.outbox import RELAY_SECONDS, OutboxRelay, relaying
from lakeproof_shop.serving.service import create_service, serve

logger = logging.getLogger(__name__)

NAME = "notification-service"
WORKER_POOL = 4  # connections of the workers and the reader of events; callers have a pool of their own
AT_ONCE = 8  # concurrent deliveries of one channel's worker
DUE_AT_ONCE = 32  # due notifications that one channel's worker takes at once
ASK_SECONDS = 0.8
NOTE_SECONDS = 5.0
AGAIN_SECONDS = 0.5
STOP_SECONDS = 4.0


@dataclass(frozen=True)
class Surroundings:
    """What the service needs from outside. Addresses are URLs or host:port; `mail` is host and port of a mail server.

    connect_relay: as `connect`, with the relay's longer limit for a statement.
    events_of: the service's own events go to the topic `events.<events_of>`.
    reads: the topics of other services' events that it reads; () for none.
    """

    connect: Callable[[], Awaitable[Connection]]
    connect_relay: Callable[[], Awaitable[Connection]]
    redis: str
    mail: tuple[str, int]
    webhook: str
    kafka: str
    orders: str
    events_of: str = "notification"
    reads: tuple[str, ...] = TOPICS


def surroundings_of(stack: Stack) -> Surroundings:
    """The surroundings in a stack; SERVICE_REDIS_URL names another Redis."""
    return Surroundings(
        connector_of(stack, "notification"),
        connector_of(stack, "notification", statement_seconds=RELAY_SECONDS),
        redis_connection.redis_url(stack),
        stack.host_port("mail-sink", "smtp"),
        f"{stack.url('mail-sink')}/webhook",
        stack.address("kafka", "tcp"),
        stack.url("order-service"),
    )


class Works:
    """Everything that runs inside the service, from `start` to `stop`. It must be made within the event loop."""

    def __init__(
        self, shop: ShopSettings, own: NotificationSettings, around: Surroundings, metrics: NotificationMetrics
    ) -> None:
        self._around = around
        pool = ConnectionPool(around.connect, shop.pool_size)
        working = ConnectionPool(around.connect, WORKER_POOL)
        self._asking = ConnectionPool(around.connect, 1)
        self._pools = (pool, working, self._asking)
        metrics.database.watch(pool)
        self._asking_redis = redis_connection.connect(around.redis, ASK_SECONDS)
        self._limiter = Limiter(
            around.redis,
            metrics,
            limit=own.notification_rate_limit,
            window_seconds=own.notification_rate_window_seconds,
            seconds=own.redis_seconds,
        )
        self._providers: dict[str, Provider] = {
            Channel.EMAIL.value: MailProvider(*around.mail, own.provider_seconds),
            Channel.WEBHOOK.value: WebhookProvider(around.webhook, own.provider_seconds),
        }
        retries = Retries(own.attempts, own.retry_seconds)

        def sender(leases: Leases) -> Sender:
            return Sender(leases, self._limiter, self._providers, metrics, retries)

        leases = Leases(working, metrics, own.lease_seconds)
        self._for_callers = sender(Leases(pool, metrics, own.lease_seconds))
        self._workers = Workers(
            leases, sender(leases), look_seconds=own.look_seconds, at_once=AT_ONCE, batch=DUE_AT_ONCE
        )
        self._customers = Customers(around.orders, shop.request_seconds)
        self._events = EventStore(working, metrics)
        self._reader = EventReader(self._events, self._customers, metrics, self._workers.wake)
        # A topic that is read for the first time is read from its end: nobody is told today of last week's events.
        self._consumer = EventConsumer(
            around.kafka, self._reader.take, group=GROUP, topics=around.reads, begin_at_end=frozenset(around.reads)
        )
        self._working = Background({})
        self._beginning: asyncio.Task[None] | None = None
        self.api = NotificationApi(
            NotificationStore(pool, metrics),
            PreferenceStore(pool, metrics),
            self._for_callers,
            shop.request_seconds,
            self._workers.wake,
        )

    def start(self) -> None:
        """Start to send due notifications and to read other services' events."""
        self._working = Background(self._workers.works())
        if self._around.reads:
            self._beginning = asyncio.create_task(self._begin_to_read())

    async def _begin_to_read(self) -> None:
        """Start the reader of events once the database has noted from when on each topic is read.

        Events after that time lead to notifications, also those that come while Kafka is away.
        """
        since: dict[str, float] = {}
        while not since:
            try:
                since = await self._events.reading_since(self._around.reads, Deadline(NOTE_SECONDS))
            except (DatabaseTrouble, SaidNo) as error:
                logger.info("events are not read yet", extra={"reason": str(error)})
                await asyncio.sleep(AGAIN_SECONDS)
        self._reader.begin(since)
        self._consumer.start(since)

    async def stop(self) -> None:
        """Let the deliveries under way end, then close everything."""
        self._workers.stop()
        if self._beginning is not None:
            self._beginning.cancel()
        await asyncio.gather(
            self._consumer.stop(), self._working.stop(STOP_SECONDS), self._for_callers.finish(STOP_SECONDS)
        )
        for provider in self._providers.values():
            await provider.close()
        await asyncio.gather(self._customers.close(), self._limiter.close(), self._asking_redis.aclose())
        await asyncio.gather(*(pool.close(1.0) for pool in self._pools))

    def questions(self, relay: OutboxRelay) -> Mapping[str, Question]:
        """The questions that /health asks. `relay` sends this service's own events."""

        async def ask_kafka() -> str:
            return relay.problem or await self._consumer.problem()

        def workers() -> str:
            waits = self._beginning is not None and not self._beginning.done()
            return self._ended or relay.ended or ("no event is read yet" if waits else "")

        return {
            "postgres": lambda: ask(self._asking, "notifications"),
            "redis": lambda: redis_connection.problem_of(self._asking_redis),
            "mail-sink": lambda: greeting_problem(*self._around.mail),
            "kafka": ask_kafka,
            # The order service is asked only about events that do not name their customer.
            "order-service": lambda: self._customers.problem,
            "workers": workers,
        }

    @property
    def _ended(self) -> str:
        reads = self._beginning is None or not self._beginning.done() or self._consumer.is_running
        return self._working.ended or ("" if reads else "ended: reader of events")


def create_app(shop: ShopSettings, own: NotificationSettings, around: Surroundings) -> FastAPI:
    """Make the service with its workers and its reader of events. It also starts while its surroundings are away."""
    metrics = NotificationMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        works = Works(shop, own, around, metrics)
        app.state.notifications = works.api
        works.start()
        try:
            async with relaying(around.connect_relay, around.kafka, around.events_of, metrics.registry) as relay:
                yield works.questions(relay)
        finally:
            await works.stop()

    works_without = frozenset({"redis", "mail-sink", "kafka", "order-service"})
    return create_service(
        "notification service",
        shop,
        metrics,
        router,
        opened,
        works_without=works_without,
        route_limits=ROUTE_LIMITS,
    )


def main(stack: Stack) -> FastAPI:
    """The notification service of a stack."""
    return create_app(stack.settings.shop, stack.settings.notification, surroundings_of(stack))


if __name__ == "__main__":
    serve(NAME, main)
