"""The checkout's HTTP API without a database: what it says of a request that cannot be, and of a database away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from lakeproof.stack.settings import CheckoutSettings, ShopSettings
from lakeproof_shop.services.checkout.api import _status
from lakeproof_shop.services.checkout.models import Checkout, Step
from lakeproof_shop.services.order.app import Checkouts, create_app
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.mysql import Connection

BASKET = {
    "customer_id": 5,
    "card": "tok_visa",
    "address": {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"},
    "items": [{"sku": "a", "quantity": 2, "unit_price": "6.15"}],
}
KEY = {"idempotency-key": "k"}


async def away() -> Connection:
    raise DatabaseDown("cannot connect")


@pytest.fixture
async def shop() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(ShopSettings(), away, Checkouts({}, CheckoutSettings()))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


async def test_a_purchase_without_a_name_is_refused(shop: httpx.AsyncClient) -> None:
    answer = await shop.post("/checkouts", json=BASKET)
    assert (answer.status_code, answer.json()["outcome"]) == (428, "not_done")


async def test_a_basket_that_cannot_be_is_refused_with_its_fields(shop: httpx.AsyncClient) -> None:
    answer = await shop.post("/checkouts", json=BASKET | {"items": []}, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["fields"][0]["field"]) == (422, "items")


async def test_without_its_database_a_purchase_was_not_begun(shop: httpx.AsyncClient) -> None:
    answer = await shop.post("/checkouts", json=BASKET, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
    assert (await shop.get("/checkouts/k")).status_code == 503


@pytest.mark.parametrize(
    ("code", "status"), [("insufficient_funds", 402), ("order_has_payment", 409), ("key_reused", 409), ("404", 409)]
)
def test_only_what_the_cards_bank_declined_is_told_as_a_declined_card(code: str, status: int) -> None:
    now = datetime.now(UTC)
    refusal = (code, "payment-service: no")
    failed = Checkout("k", "d", {}, Step.FAILED, "r", 17, None, None, False, refusal, 0, "t", now, now)
    assert _status(failed, begun=True) == status
