"""The checkouts' table in a real database: who holds one moves it, once or again, and nobody else does."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.database.pool import ConnectionPool
from lakeproof.shop.checkout.models import Step
from lakeproof.shop.checkout.requests import CheckoutRequest
from lakeproof.shop.checkout.store import CheckoutStore, HoldLost
from lakeproof.shop.order.app import database_of
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]  # not yet green three times in a row

BASKET = CheckoutRequest.model_validate(
    {
        "customer_id": 5,
        "card": "tok_visa",
        "address": {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"},
        "items": [{"sku": "a", "quantity": 2, "unit_price": "6.15"}],
    }
)


def with_store(stack: Stack, work: Callable[[CheckoutStore], Awaitable[None]]) -> None:
    async def run() -> None:
        pool = ConnectionPool(database_of(stack).connect, 2)
        try:
            await work(CheckoutStore(pool, DatabaseMetrics(CollectorRegistry()), hold_seconds=30.0))
        finally:
            await pool.close()

    asyncio.run(run())


def test_a_step_is_remembered_by_who_holds_the_checkout_once_or_again(stack: Stack, up: Callable[..., Any]) -> None:
    up("mysql")

    async def work(store: CheckoutStore) -> None:
        begun, owner = await store.begin(uuid.uuid4().hex, BASKET, "t", Deadline(10))
        assert owner is not None and begun.step is Step.RESERVE
        for _ in range(2):  # as after an answer that was lost
            moved = await store.advance(begun, owner, Step.ORDER, Deadline(10), values={"reservation_id": "r"})
            assert (moved.step, moved.reservation_id, moved.attempts) == (Step.ORDER, "r", 0)
        for _ in range(2):
            assert (await store.let_go(moved, owner, 0.0, Deadline(10))).attempts == 1
        held = await store.hold(begun.key, Deadline(10))
        assert held is not None
        with pytest.raises(HoldLost):
            await store.advance(moved, owner, Step.AUTHORIZE, Deadline(10))
        ended = await store.advance(held[0], held[1], Step.FAILED, Deadline(10), refusal=("no", "why"))
        assert (ended.step, ended.refusal) == (Step.FAILED, ("no", "why"))
        assert await store.find(begun.key, Deadline(10)) == ended

    with_store(stack, work)
