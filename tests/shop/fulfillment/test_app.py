"""The fulfillment service with nothing to stand on: it says so, refuses in the common shape, and hangs nowhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.shop.fulfillment.doubles import ADDRESS, ITEMS

from lakeproof.stack.settings import FulfillmentSettings, ShopSettings
from lakeproof_shop.services.fulfillment.app import Surroundings, create_app
from lakeproof_shop.services.fulfillment.models import NEXT, Op, State
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection

BODY = {"order_id": 17, "address": ADDRESS, "items": ITEMS}
KEY = {"Idempotency-Key": "test-1"}


class NoStore:
    def __getattr__(self, name: str) -> Any:
        raise OSError("unreachable")


async def no_database() -> Connection:
    raise DatabaseDown("cannot connect (08001)")


@asynccontextmanager
async def serving() -> AsyncIterator[httpx.AsyncClient]:
    around = Surroundings(no_database, no_database, NoStore(), "127.0.0.1:1")
    app = create_app(ShopSettings(request_seconds=2.0), FulfillmentSettings(), around)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


async def test_health_names_each_dependency_that_is_down() -> None:
    async with serving() as shop:
        answer = await shop.get("/health")
    found = {name: one["status"] for name, one in answer.json()["dependencies"].items()}
    assert answer.status_code == 503
    assert (found["postgres"], found["minio"], found["worker"]) == ("unhealthy", "unhealthy", "healthy")


async def test_without_its_database_nothing_is_done_and_that_is_said() -> None:
    async with serving() as shop:
        answer = await shop.post("/fulfillments", json=BODY, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")


@pytest.mark.parametrize("path", ["/fulfillments", "/fulfillments/1/cancel", "/fulfillments/1/return"])
async def test_a_change_without_a_key_is_refused(path: str) -> None:
    async with serving() as shop:
        answer = await shop.post(path, json=BODY)
    assert answer.status_code == 428


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_id": 0}, "order_id"),
        ({"items": []}, "items"),
        ({"items": [{"sku": "s", "quantity": -1}]}, "items.0.quantity"),
        ({"address": ADDRESS | {"name": "two\nlines"}}, "address.name"),
        ({"address": ADDRESS | {"country": "Vietnam"}}, "address.country"),
        ({"hold_until": "2026-11-24T12:00:00"}, "hold_until"),  # without a zone
        ({"hold_until": (datetime.now(UTC) + timedelta(days=400)).isoformat()}, "hold_until"),
        ({"hold_until": "0001-01-01T00:00:00+14:00"}, "hold_until"),
        ({"status": "shipped"}, "status"),
    ],
)
async def test_what_cannot_be_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    async with serving() as shop:
        answer = await shop.post("/fulfillments", json=BODY | change, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["fields"][0]["field"]) == (422, field)


async def test_openapi_tells_of_every_answer() -> None:
    async with serving() as shop:
        paths = (await shop.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/fulfillments",
        "/fulfillments/{fulfillment_id}",
        "/fulfillments/{fulfillment_id}/hold",
        "/fulfillments/{fulfillment_id}/cancel",
        "/fulfillments/{fulfillment_id}/return",
        "/health",
        "/metrics",
    }
    assert {"200", "404", "409", "422", "428", "503"} <= set(
        paths["/fulfillments/{fulfillment_id}/cancel"]["post"]["responses"]
    )


def test_nothing_that_is_shipped_can_be_held_or_cancelled() -> None:
    for op in (Op.HOLD, Op.CANCEL):
        assert not op.allowed_from & {State.SHIPPED, State.RETURNED, State.CANCELLED}
    assert Op.RETURN.allowed_from == {State.SHIPPED}
    assert set(NEXT) == set(State)
