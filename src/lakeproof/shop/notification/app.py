"""The notification service as a process: `python -m lakeproof.shop.notification.app`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from lakeproof.shop import redis_connection
from lakeproof.shop.database.pool import ConnectionPool
from lakeproof.shop.database.postgres import Connection, ask, connector_of
from lakeproof.shop.notification.api import NotificationApi, router
from lakeproof.shop.notification.claims import Claims
from lakeproof.shop.notification.consumer import EventConsumer, EventReader
from lakeproof.shop.notification.customers import Customers
from lakeproof.shop.notification.event_store import EventStore
from lakeproof.shop.notification.limiter import Limiter
from lakeproof.shop.notification.metrics import NotificationMetrics
from lakeproof.shop.notification.models import Channel
from lakeproof.shop.notification.providers import MailProvider, Provider, WebhookProvider
from lakeproof.shop.notification.sender import Retries, Sender, Worker
from lakeproof.shop.notification.store import NotificationStore
from lakeproof.shop.outbox import RELAY_SECONDS, relaying
from lakeproof.shop.service import create_service, serve
from lakeproof.stack.settings import NotificationSettings, ShopSettings
from lakeproof.stack.stack import Stack

NAME = "notification-service"
WORKER_POOL = 4  # the worker and the reader of events; callers have a pool of their own
AT_ONCE = 8  # deliveries of the worker
DUE_AT_ONCE = 32
ASK_SECONDS = 0.8
STOP_SECONDS = 4.0


@dataclass(frozen=True)
class Surroundings:
    """What the service stands on. `mail`: host and port of the mail server; the others: URLs, or host:port."""

    connect: Callable[[], Awaitable[Connection]]
    connect_relay: Callable[[], Awaitable[Connection]]
    redis: str
    mail: tuple[str, int]
    webhook: str
    kafka: str
    orders: str


def surroundings_of(stack: Stack) -> Surroundings:
    """Those of the stack; SERVICE_REDIS_URL names another Redis."""
    return Surroundings(
        connector_of(stack, "notification"),
        connector_of(stack, "notification", statement_seconds=RELAY_SECONDS),
        redis_connection.redis_url(stack),
        stack.host_port("mail-sink", "smtp"),
        f"{stack.url('mail-sink')}/webhook",
        stack.address("kafka", "tcp"),
        stack.url("order-service"),
    )


def create_app(shop: ShopSettings, own: NotificationSettings, around: Surroundings) -> FastAPI:
    """The service with its worker and its reader of events; it starts also where what it stands on is away."""
    metrics = NotificationMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Callable[[], Awaitable[str]]]]:
        pool = ConnectionPool(around.connect, shop.pool_size, wait_seconds=min(2.0, shop.request_seconds))
        working = ConnectionPool(around.connect, WORKER_POOL)
        asking = ConnectionPool(around.connect, 1, wait_seconds=1.0, connect_seconds=1.0)  # a full pool is not ill
        metrics.database.watch(pool)
        asking_redis = redis_connection.connect(around.redis, ASK_SECONDS)
        limiter = Limiter(
            around.redis,
            metrics,
            limit=own.notification_rate_limit,
            window_seconds=own.notification_rate_window_seconds,
            seconds=own.redis_seconds,
        )
        providers: dict[str, Provider] = {
            Channel.EMAIL.value: MailProvider(*around.mail, own.provider_seconds),
            Channel.WEBHOOK.value: WebhookProvider(around.webhook, own.provider_seconds),
        }
        retries = Retries(own.attempts, own.retry_seconds)
        calling = Sender(Claims(pool, metrics, own.lease_seconds), limiter, providers, metrics, retries)
        claims = Claims(working, metrics, own.lease_seconds)
        sender = Sender(claims, limiter, providers, metrics, retries)
        worker = Worker(claims, sender, look_seconds=own.look_seconds, at_once=AT_ONCE, batch=DUE_AT_ONCE)
        customers = Customers(around.orders, shop.request_seconds)
        reader = EventReader(EventStore(working, metrics), customers, metrics, worker.wake)
        consumer = EventConsumer(around.kafka, reader.take)
        app.state.notifications = NotificationApi(
            NotificationStore(pool, metrics), calling, shop.request_seconds, worker.wake
        )
        working_task = asyncio.create_task(worker.run(), name="worker")
        consumer.start()

        async def ask_workers() -> str:
            ended = ["worker"] if working_task.done() else []
            ended += [] if consumer.is_running else ["reader of events"]
            return f"ended: {', '.join(ended)}" if ended else ""

        async def ask_order_service() -> str:
            return customers.problem

        try:
            async with relaying(around.connect_relay, around.kafka, "notification", metrics.registry):
                yield {
                    "postgres": lambda: ask(asking, "notifications"),
                    "redis": lambda: redis_connection.problem_of(asking_redis),
                    "mail-sink": lambda: _ask_mail(around.mail),
                    "kafka": consumer.problem,
                    "order-service": ask_order_service,
                    "workers": ask_workers,
                }
        finally:
            worker.stop()
            await asyncio.gather(consumer.stop(), asyncio.wait({working_task}, timeout=STOP_SECONDS))
            await calling.finish(STOP_SECONDS)
            working_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working_task
            for provider in providers.values():
                await provider.close()
            await asyncio.gather(customers.close(), limiter.close(), asking_redis.aclose())
            await asyncio.gather(pool.close(1.0), working.close(1.0), asking.close(1.0))

    works_without = frozenset({"redis", "mail-sink", "kafka", "order-service"})
    return create_service("notification service", shop, metrics, router, opened, works_without=works_without)


async def _ask_mail(place: tuple[str, int]) -> str:
    """A mail server greets with 220; "" where it does."""
    try:
        reader, writer = await asyncio.open_connection(*place)
    except OSError as error:
        return f"no answer: {error.strerror}"
    try:
        greeting = await reader.readline()
    finally:
        writer.close()
    return "" if greeting.startswith(b"220") else f"greets with {greeting[:50]!r}"


def main(stack: Stack) -> FastAPI:
    """The stack's own service."""
    return create_app(stack.settings.shop, stack.settings.notification, surroundings_of(stack))


if __name__ == "__main__":
    serve(NAME, main)
