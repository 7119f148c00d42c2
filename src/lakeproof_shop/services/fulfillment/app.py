"""The fulfillment service as a process: `python -m lakeproof_shop.services.fulfillment.app`."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from lakeproof.stack.object_store import s3_client
from lakeproof.stack.settings import FulfillmentSettings, ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.api import FulfillmentApi, router
from lakeproof_shop.services.fulfillment.backlog import Backlog
from lakeproof_shop.services.fulfillment.label_store import LabelStore
from lakeproof_shop.services.fulfillment.leases import Leases
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.store import FulfillmentStore
from lakeproof_shop.services.fulfillment.worker import LabelWorker, Step
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, ask, connector_of
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.outbox import RELAY_SECONDS, relaying
from lakeproof_shop.serving.service import create_service, serve

NAME = "fulfillment-service"
STOP_SECONDS = 4.0  # how long a stop waits for the worker's steps under way; less than the component's stop_seconds
WORKER_POOL = 3  # connections of the worker and the backlog; callers have a pool of their own


@dataclass(frozen=True)
class Surroundings:
    """What the service needs from outside: its database, the object store, Kafka.

    connect_relay: as `connect`, with the relay's longer limit for a statement.
    """

    connect: Callable[[], Awaitable[Connection]]
    connect_relay: Callable[[], Awaitable[Connection]]
    object_store: Any
    kafka: str


def surroundings_of(stack: Stack) -> Surroundings:
    """The fulfillment database, object store and Kafka of a stack."""
    return Surroundings(
        connector_of(stack, "fulfillment"),
        connector_of(stack, "fulfillment", statement_seconds=RELAY_SECONDS),
        s3_client(stack, timeout_seconds=stack.settings.fulfillment.store_seconds, attempts=1),
        stack.address("kafka", "tcp"),
    )


def create_app(shop: ShopSettings, own: FulfillmentSettings, around: Surroundings) -> FastAPI:
    """Make the service with its worker. It also starts while its surroundings are away; its health says so."""
    metrics = FulfillmentMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        pool = ConnectionPool(around.connect, shop.pool_size)
        working = ConnectionPool(around.connect, WORKER_POOL)
        asking = ConnectionPool(around.connect, 1)
        metrics.database.watch(pool)
        labels = LabelStore(around.object_store, own.store_seconds)
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        leases = Leases(working, metrics, owner, own.lease_seconds, shop.request_seconds)
        crash_after = Step(own.crash_after) if own.crash_after else None
        worker = LabelWorker(leases, labels, metrics, look_seconds=own.look_seconds, crash_after=crash_after)
        app.state.fulfillments = FulfillmentApi(FulfillmentStore(pool, metrics), shop.request_seconds, worker.wake)
        labelling = Background({"label worker": worker.run()})
        counting = Background({"backlog": Backlog(working, labels, leases, metrics).run()})

        try:
            async with relaying(around.connect_relay, around.kafka, "fulfillment", metrics.registry) as relay:
                yield {
                    "postgres": lambda: ask(asking, "fulfillments"),
                    "minio": labels.ask,
                    "kafka": lambda: relay.problem,
                    "worker": lambda: labelling.ended or counting.ended or relay.ended,
                }
        finally:
            worker.stop()
            await asyncio.gather(counting.stop(), labelling.stop(STOP_SECONDS))
            labels.close()
            await asyncio.gather(pool.close(1.0), working.close(1.0), asking.close(1.0))

    works_without = frozenset({"minio", "kafka"})
    return create_service("fulfillment service", shop, metrics, router, opened, works_without=works_without)


def main(stack: Stack) -> FastAPI:
    """The fulfillment service of a stack."""
    return create_app(stack.settings.shop, stack.settings.fulfillment, surroundings_of(stack))


if __name__ == "__main__":
    serve(NAME, main)
