"""The receipt of a purchase: the step ends only once the notification service knows that it is to be sent."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import orjson
import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Checkout, Step
from lakeproof_shop.services.checkout.requests import CheckoutRequest
from lakeproof_shop.services.checkout.services import NoClearWord, Services
from lakeproof_shop.services.checkout.steps import Steps
from lakeproof_shop.services.order.store import OrderStore

AT = datetime(2026, 11, 26, tzinfo=UTC)
BASKET = {
    "customer_id": 5,
    "card": "tok_visa",
    "email": "a@example.org",
    "address": {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"},
    "items": [{"sku": "a", "quantity": 2, "unit_price": "6.15"}],
}
REQUEST = CheckoutRequest.model_validate(BASKET).stored()
AT_NOTIFY = Checkout("k", "d", REQUEST, Step.NOTIFY, "r", 1, 7, 9, True, None, 0, "t", AT, AT)


async def notify(answering: Answering, sends: Callable[[], int], seconds: float) -> dict[str, object]:
    def answer(_: str, path: str, __: bytes) -> tuple[int, object]:
        return (201, {"id": "n"}) if path == "/notifications" else (sends(), {"error": {"code": "later"}})

    async with Services({"notification-service": f"http://{answering(answer)}"}, call_seconds=5.0) as services:
        return await Steps(services, cast(OrderStore, None), 5.0).do(AT_NOTIFY, Deadline(seconds))


@pytest.mark.parametrize("status", [200, 409, 502])
async def test_what_is_sent_or_is_tried_again_by_the_service_is_done(answering: Answering, status: int) -> None:
    assert await notify(answering, lambda: status, 5.0) == {}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_the_service_did_not_take_up_is_asked_again(answering: Answering, status: int) -> None:
    """Over the customer's limit, or without its database, it notes nothing that its worker would find."""
    with pytest.raises(NoClearWord):
        await notify(answering, lambda: status, 5.0)


async def test_a_send_for_which_no_time_is_left_is_asked_again(answering: Answering) -> None:
    def late() -> int:
        time.sleep(0.6)
        return 200

    with pytest.raises(NoClearWord):
        await notify(answering, late, 0.4)


async def test_a_receipt_shows_each_price_in_full(answering: Answering) -> None:
    told: list[bytes] = []

    def answer(_: str, path: str, body: bytes) -> tuple[int, object]:
        told.append(body)
        return (201, {"id": "n"}) if path == "/notifications" else (200, {})

    lines = [{"sku": "a", "quantity": 2, "unit_price": "6.1"}, {"sku": "b", "quantity": 1, "unit_price": "1E1"}]
    bought = replace(AT_NOTIFY, request=CheckoutRequest.model_validate(BASKET | {"items": lines}).stored())
    async with Services({"notification-service": f"http://{answering(answer)}"}, call_seconds=5.0) as services:
        await Steps(services, cast(OrderStore, None), 5.0).do(bought, Deadline(5.0))
    assert orjson.loads(told[0])["body"] == "2 x a at 6.10\n1 x b at 10.00\nin all 22.20"
