"""The inventory service as a process: `python -m lakeproof_shop.services.inventory.app`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import InventorySettings, ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.api import InventoryApi, router
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.relay import StockRelay
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.services.inventory.sweeper import Sweeper, Ttl
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.cassandra import Ring
from lakeproof_shop.serving.database.cassandra_cluster import RingAndKafka, ring_and_kafka
from lakeproof_shop.serving.event_delivery import OutboxMetrics
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.service import create_service, serve

NAME = "inventory-service"
HEALTH_SECONDS = 0.9


def create_app(shop: ShopSettings, own: InventorySettings, around: RingAndKafka) -> FastAPI:
    """Make the service with its sweeper and relay. It also starts while Cassandra is down; its health says so."""
    metrics = InventoryMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        ring = Ring(around.open_cluster, statements.STATEMENTS, metrics.database)
        store = InventoryStore(ring, metrics, own.reservation_ttl_seconds)
        ttl = Ttl(own.reservation_ttl_seconds, own.reservation_ttl_floor_seconds)
        sweeper = Sweeper(ring, store, metrics, ttl)
        relay = StockRelay(ring, store, around.kafka, OutboxMetrics(metrics.registry))
        app.state.inventory = InventoryApi(store, shop.request_seconds)
        ring.start()
        works = Background({"sweeper": sweeper.run(), "relay": relay.run()})

        async def ask_ring() -> str:
            if not ring.problem:
                await ring.read(statements.HEALTH, (), Deadline(HEALTH_SECONDS))
            return ring.problem

        try:
            yield {
                "cassandra": ask_ring,
                "reservation-ttl": sweeper.look_at_ttl,
                "sweeper": lambda: sweeper.problem,
                "kafka": lambda: relay.problem,
                "tasks": lambda: works.ended,
            }
        finally:
            await works.stop()
            await relay.close()
            await ring.close()

    works_without = frozenset({"reservation-ttl", "sweeper", "kafka"})
    return create_service("inventory service", shop, metrics, router, opened, works_without=works_without)


def main(stack: Stack) -> FastAPI:
    """The inventory service of a stack."""
    return create_app(stack.settings.shop, stack.settings.inventory, ring_and_kafka(stack, "inventory_service"))


if __name__ == "__main__":
    serve(NAME, main)
