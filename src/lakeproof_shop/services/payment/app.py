"""The payment service as a process: `python -m lakeproof_shop.services.payment.app`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.payment.api import PaymentApi, router
from lakeproof_shop.services.payment.metrics import PaymentMetrics
from lakeproof_shop.services.payment.store import PaymentStore
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, ask, connector_of
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.outbox import RELAY_SECONDS, relaying
from lakeproof_shop.serving.service import create_service, serve

NAME = "payment-service"


@dataclass(frozen=True)
class Surroundings:
    """What the service needs from outside: its database and Kafka.

    connect_relay: as `connect`, with the relay's longer limit for a statement.
    events_of: events go to the topic `events.<events_of>`.
    """

    connect: Callable[[], Awaitable[Connection]]
    connect_relay: Callable[[], Awaitable[Connection]]
    kafka: str
    events_of: str = "payment"


def surroundings_of(stack: Stack) -> Surroundings:
    """The payment database and Kafka of a stack."""
    return Surroundings(
        connector_of(stack, "payment"),
        connector_of(stack, "payment", statement_seconds=RELAY_SECONDS),
        stack.address("kafka", "tcp"),
    )


def create_app(settings: ShopSettings, around: Surroundings) -> FastAPI:
    """Make the service. It also starts while its database or Kafka is away; its health says so."""
    metrics = PaymentMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        pool = ConnectionPool(around.connect, settings.pool_size)
        asking = ConnectionPool(around.connect, 1)
        metrics.database.watch(pool)

        try:
            async with relaying(around.connect_relay, around.kafka, around.events_of, metrics.registry) as relay:
                app.state.payments = PaymentApi(PaymentStore(pool, metrics, relay.wake), settings.request_seconds)
                yield {
                    "postgres": lambda: ask(asking, "payments"),
                    "kafka": lambda: relay.problem,
                    "tasks": lambda: relay.ended,
                }
        finally:
            await asyncio.gather(pool.close(), asking.close())

    return create_service("payment service", settings, metrics, router, opened, works_without=frozenset({"kafka"}))


if __name__ == "__main__":
    serve(NAME, lambda stack: create_app(stack.settings.shop, surroundings_of(stack)))
