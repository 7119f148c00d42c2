"""The payment service without its database: what it refuses by itself, and what it says when PostgreSQL is away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest

from lakeproof.stack.settings import ShopSettings
from lakeproof_shop.services.payment.app import Surroundings, create_app
from lakeproof_shop.serving.database.errors import DatabaseDown, DatabaseRefused, Duplicate
from lakeproof_shop.serving.database.postgres import Connection

BODY = {"order_id": 1, "customer_id": 5, "amount": "15.30", "card": "tok_visa"}
KEY = {"idempotency-key": "k1"}


async def away() -> Connection:
    raise DatabaseDown("cannot connect (ConnectionRefusedError)")


@asynccontextmanager
async def service(
    connect: Callable[[], Awaitable[Connection]] = away,
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(ShopSettings(request_seconds=5.0), Surroundings(connect, away, "127.0.0.1:9"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "-499.00"),
        ("amount", "0.00"),
        ("amount", "100000.00"),
        ("amount", "1.234"),
        ("amount", 15.3),
        ("card", "4111111111111111"),
        ("card", ""),
        ("order_id", 0),
        ("order_id", "1"),
        ("order_id", 1.5),
        ("order_id", True),
        ("order_id", 2**53),
        ("customer_id", -1),
        ("other", 1),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_done(field: str, value: object) -> None:
    async with service() as shop:
        answer = await shop.post("/payments", json=BODY | {field: value}, headers=KEY)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["field"] == field
    assert answer.json()["outcome"] == "not_done"


async def test_a_whole_number_may_be_written_as_a_decimal() -> None:
    async with service() as shop:
        answer = await shop.post("/payments", json=BODY | {"order_id": 1.0}, headers=KEY)
    assert answer.status_code == 503  # taken, and then the database is away


async def test_a_path_tells_all_its_methods() -> None:
    async with service() as shop:
        answer = await shop.delete("/payments")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_change_without_a_key_is_refused() -> None:
    async with service() as shop:
        for path in ("/payments", "/payments/1/capture", "/payments/1/refund", "/payments/1/void"):
            answer = await shop.post(path, json=BODY if path == "/payments" else {})
            assert (answer.status_code, answer.json()["error"]["code"]) == (428, "precondition_required")


async def test_a_database_that_is_away_means_not_done() -> None:
    async with service() as shop:
        answers = [
            await shop.post("/payments", json=BODY, headers=KEY),
            await shop.post("/payments/1/capture", headers=KEY),
            await shop.get("/payments/1"),
            await shop.get("/payments", params={"order_id": 1}),
        ]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert {answer.json()["outcome"] for answer in answers} == {"not_done"}
    assert {answer.json()["error"]["code"] for answer in answers} == {"database_unavailable"}


async def test_health_names_the_database_and_no_card_token_is_in_the_metrics() -> None:
    async with service() as shop:
        health = await shop.get("/health")
        text = (await shop.get("/metrics")).text
    assert health.status_code == 503
    assert health.json()["dependencies"]["postgres"]["status"] == "unhealthy"
    assert "shop_outbox_unsent" in text and "shop_payment_declines_total" in text
    assert "tok_" not in text


class KeyIsThere:
    """Has a row of the caller's key; when that row is to be read, there is trouble."""

    def __init__(self, trouble: Exception) -> None:
        self.trouble = trouble

    async def execute(self, statements: str) -> None:
        return None

    async def fetch(self, statement: str, *_: object) -> list[Any]:
        if "INSERT INTO payments" in statement:
            raise Duplicate("payment_operations_pkey")
        raise self.trouble

    def close(self) -> None:
        return None


@pytest.mark.parametrize("trouble", [DatabaseDown("connection lost (57P01)"), DatabaseRefused("no rights (42501)")])
async def test_a_repeated_call_whose_first_cannot_be_read_is_not_told_that_nothing_was_done(
    trouble: Exception,
) -> None:
    async def connect() -> Connection:
        return cast("Connection", KeyIsThere(trouble))

    async with service(connect) as shop:
        answer = await shop.post("/payments", json=BODY, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "unclear"), answer.text


async def test_openapi_tells_the_decline() -> None:
    async with service() as shop:
        described = (await shop.get("/openapi.json")).json()
    assert "402" in described["paths"]["/payments"]["post"]["responses"]
