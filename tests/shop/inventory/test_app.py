"""The inventory service without a ring: what it refuses by itself, and what it says when Cassandra is away."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from cassandra.cluster import Cluster, NoHostAvailable

from lakeproof.stack.settings import InventorySettings, ShopSettings
from lakeproof_shop.services.inventory.app import create_app
from lakeproof_shop.services.inventory.sweeper import Ttl
from lakeproof_shop.serving.database.cassandra_cluster import RingAndKafka

BODY = {"order_key": "order-1", "lines": [{"sku": "sku-1", "quantity": 1}]}
KEY = {"Idempotency-Key": "test-1"}


def away() -> Cluster:
    raise NoHostAvailable("nobody there", {})


@asynccontextmanager
async def service() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(ShopSettings(request_seconds=1.0), InventorySettings(), RingAndKafka(away, "127.0.0.1:9"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_key", ""),
        ("order_key", "a b"),
        ("lines", []),
        ("lines", [{"sku": "sku-1", "quantity": 0}]),
        ("lines", [{"sku": "sku-1", "quantity": -1}]),
        ("lines", [{"sku": "sku-1", "quantity": 1001}]),
        ("lines", [{"sku": "sku-1", "quantity": "1"}]),
        ("lines", [{"sku": "../etc", "quantity": 1}]),
        ("lines", [{"sku": "sku-1", "quantity": 1}, {"sku": "sku-1", "quantity": 2}]),
        ("lines", [{"sku": f"sku-{number}", "quantity": 1} for number in range(51)]),
        ("other", 1),
    ],
)
async def test_a_wrong_field_is_refused_and_nothing_is_done(field: str, value: object) -> None:
    async with service() as shop:
        answer = await shop.post("/reservations", json=BODY | {field: value}, headers=KEY)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"]
    assert answer.json()["outcome"] == "not_done"


async def test_a_change_without_a_key_is_refused() -> None:
    async with service() as shop:
        for path, body in (("/reservations", BODY), ("/stock/sku-1/receive", {"quantity": 1})):
            answer = await shop.post(path, json=body)
            assert (answer.status_code, answer.json()["outcome"]) == (428, "not_done")


async def test_without_a_ring_every_call_ends_and_says_that_nothing_was_done() -> None:
    async with service() as shop:
        began = time.monotonic()
        answer = await shop.post("/reservations", json=BODY, headers=KEY)
        assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
        assert (await shop.get("/stock/sku-1")).status_code == 503
        health = (await shop.get("/health")).json()
        assert time.monotonic() - began < 3
    assert health["status"] == "starting"
    assert health["dependencies"]["cassandra"]["problem"]


@pytest.mark.parametrize(
    ("setting", "table", "told"),
    [
        (900, 900, ""),
        (900, 0, ""),  # without end: each reservation ends by its own time
        (900, None, ""),
        (900, 60, "default_time_to_live"),
        (10, 900, "reservation_ttl_seconds"),
    ],
)
def test_a_ttl_below_its_floor_is_told(setting: float, table: int | None, told: str) -> None:
    problem = Ttl(setting, 300, table).problem
    assert (told in problem) and bool(problem) == bool(told)
