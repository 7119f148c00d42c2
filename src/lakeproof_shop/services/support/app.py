"""The support service as a process: `python -m lakeproof_shop.services.support.app`."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cassandra.cluster import Cluster
from fastapi import APIRouter, FastAPI

from lakeproof.stack.object_store import s3_client
from lakeproof.stack.settings import ShopSettings, SupportSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.support.api import SupportApi, router
from lakeproof_shop.services.support.archive import Archive
from lakeproof_shop.services.support.attachment_api import AttachmentApi, attachment_router, route_limit
from lakeproof_shop.services.support.attachment_store import AttachmentStore
from lakeproof_shop.services.support.cache import TimelineCache
from lakeproof_shop.services.support.caretaker import Caretaker
from lakeproof_shop.services.support.customer_orders import CustomerOrders
from lakeproof_shop.services.support.customer_orders import router as customers_router
from lakeproof_shop.services.support.file_store import FileStore, attachment_dir
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.piece_reader import PieceReader
from lakeproof_shop.services.support.sources import Sources, urls_of
from lakeproof_shop.services.support.store import CaseStore
from lakeproof_shop.services.support.timelines import Timelines
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.cassandra_cluster import service_cluster
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, ask, connector_of
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.outbox import RELAY_SECONDS, relaying
from lakeproof_shop.serving.redis_connection import connect as connect_redis
from lakeproof_shop.serving.redis_connection import problem_of, redis_url
from lakeproof_shop.serving.service import create_service, serve

NAME = "support-service"
STORE_SECONDS = 4.0  # the limit on each step of a call to the archive


@dataclass(frozen=True)
class Surroundings:
    """The stores and services that the support service uses, as addresses and ways to connect."""

    connect: Callable[[], Awaitable[Connection]]
    connect_relay: Callable[[], Awaitable[Connection]]
    redis_url: str
    sources: Mapping[str, str]
    object_store: Any
    kafka: str
    attachment_dir: Path
    open_cluster: Callable[[], Cluster] | None = None


def surroundings_of(stack: Stack) -> Surroundings:
    """The surroundings that the stack has."""
    return Surroundings(
        connector_of(stack, "support"),
        connector_of(stack, "support", statement_seconds=RELAY_SECONDS),
        redis_url(stack),
        urls_of(stack),
        s3_client(stack, timeout_seconds=STORE_SECONDS, attempts=1),
        stack.address("kafka", "tcp"),
        attachment_dir(stack),
        lambda: service_cluster(stack, "support_service"),
    )


def create_app(shop: ShopSettings, own: SupportSettings, around: Surroundings) -> FastAPI:
    """The service. It starts also where its stores and the other services are away; /health names each."""
    metrics = SupportMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        pool = ConnectionPool(around.connect, shop.pool_size)
        caring = ConnectionPool(around.connect, 1)
        asking = ConnectionPool(around.connect, 1)
        metrics.database.watch(pool)
        redis = connect_redis(around.redis_url, own.cache_seconds)
        asked_redis = connect_redis(around.redis_url, 0.8)
        cache = TimelineCache(
            redis, metrics, ttl_seconds=own.timeline_cache_ttl_seconds, seconds=2 * own.cache_seconds
        )
        files, store = FileStore(around.attachment_dir), CaseStore(pool, metrics)
        disk, archive = (PieceReader(source, shop.request_seconds) for source in ("disk", "archive"))
        archived = Archive(around.object_store)
        app.state.attachments = AttachmentApi(files, archived, own.attachment_max_bytes, disk, archive)
        orders = CustomerOrders(around.open_cluster, metrics.database, shop.request_seconds)
        app.state.customer_orders = orders
        caretaker = Caretaker(files, AttachmentStore(caring, metrics.database), metrics)
        works = Background({"caretaker": caretaker.run()})

        try:
            async with (
                Sources(around.sources, own.source_seconds, metrics) as sources,
                relaying(around.connect_relay, around.kafka, "support", metrics.registry) as relay,
            ):
                app.state.support = SupportApi(store, Timelines(sources, cache, metrics), shop.request_seconds)
                yield {
                    "postgres": lambda: ask(asking, "cases"),
                    "redis": lambda: problem_of(asked_redis),
                    "kafka": lambda: relay.problem,
                    "tasks": lambda: works.ended or relay.ended,
                    "projection": lambda: orders.problem,
                    **{f"{name}-service": functools.partial(sources.ask_health, name) for name in sources.on},
                }
        finally:
            await works.stop()
            disk.close()
            archive.close()
            await asyncio.gather(redis.aclose(), asked_redis.aclose())
            await asyncio.gather(pool.close(1.0), caring.close(1.0), asking.close(1.0), orders.close())

    both = APIRouter()
    both.include_router(router)
    both.include_router(attachment_router)
    both.include_router(customers_router)
    return create_service(
        "support service",
        shop,
        metrics,
        both,
        opened,
        works_without=frozenset(
            {"redis", "kafka", "projection", "order-service", "payment-service", "fulfillment-service"}
        ),
        route_limits=(route_limit(own.attachment_max_bytes),),
    )


def main(stack: Stack) -> FastAPI:
    """The service with the stack's settings and surroundings."""
    return create_app(stack.settings.shop, stack.settings.support, surroundings_of(stack))


if __name__ == "__main__":
    serve(NAME, main)
