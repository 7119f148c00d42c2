"""What a person did to a payment or a reservation beside its checkout: nobody pays for nothing, goods add up."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Checkout, Step
from lakeproof_shop.services.checkout.requests import CheckoutRequest
from lakeproof_shop.services.checkout.services import NoClearWord, ServiceRefused, Services
from lakeproof_shop.services.checkout.steps import Steps
from lakeproof_shop.services.order.store import OrderStore

AT = datetime(2026, 11, 26, tzinfo=UTC)
BASKET = {
    "customer_id": 5,
    "card": "tok_visa",
    "address": {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"},
    "items": [{"sku": "a", "quantity": 2, "unit_price": "6.15"}],
}
REQUEST = CheckoutRequest.model_validate(BASKET).stored()
AT_CAPTURE = Checkout("k", "d", REQUEST, Step.CAPTURE, "r", 1, 7, None, True, None, 0, "t", AT, AT)


class Services7:
    """Payment 7 and reservation r, each in a state; all changes are refused but a refund and goods received."""

    def __init__(self, payment: dict[str, str], reservation: str = "held", code: str = "not_allowed") -> None:
        self.payment, self.reservation, self.code = payment, reservation, code
        self.changes: list[str] = []

    def answer(self, method: str, path: str, _body: bytes) -> tuple[int, object]:
        if method == "GET":
            return 200, self.payment if path == "/payments/7" else {"state": self.reservation}
        self.changes.append(path)
        if path.endswith(("/refund", "/receive")):
            return 200, {}
        return 409, {"error": {"code": self.code, "message": "no"}}


async def do(answering: Answering, shop: Services7, checkout: Checkout) -> dict[str, Any]:
    at = f"http://{answering(shop.answer)}"
    async with Services({"payment-service": at, "inventory-service": at}, call_seconds=5.0) as services:
        return await Steps(services, cast(OrderStore, None), 5.0).do(checkout, Deadline(5))


async def test_all_of_it_captured_by_hand_is_captured(answering: Answering) -> None:
    shop = Services7({"status": "captured", "captured": "12.30"})
    assert await do(answering, shop, AT_CAPTURE) == {}


@pytest.mark.parametrize(
    "payment",
    [
        {"status": "captured", "captured": "1.00"},
        {"status": "partially_refunded", "captured": "12.30"},
        {"status": "refunded", "captured": "12.30"},
        {"status": "voided", "captured": "0.00"},
    ],
)
async def test_anything_else_done_by_hand_turns_the_purchase_round(
    answering: Answering, payment: dict[str, str]
) -> None:
    with pytest.raises(ServiceRefused):
        await do(answering, Services7(payment), AT_CAPTURE)


@pytest.mark.parametrize(("status", "refunds"), [("captured", 1), ("partially_refunded", 1), ("voided", 0)])
async def test_what_was_taken_by_hand_goes_back_where_a_purchase_fails(
    answering: Answering, status: str, refunds: int
) -> None:
    shop = Services7({"status": status, "captured": "12.30"})
    await do(answering, shop, replace(AT_CAPTURE, step=Step.VOID))
    assert shop.changes == ["/payments/7/void", *["/payments/7/refund"] * refunds]


async def test_a_void_that_is_refused_for_another_reason_is_not_taken_for_done(answering: Answering) -> None:
    with pytest.raises(ServiceRefused, match="no"):
        await do(answering, Services7({}, code="key_reused"), replace(AT_CAPTURE, step=Step.VOID))


async def test_a_reservation_confirmed_by_hand_is_received_again(answering: Answering) -> None:
    shop = Services7({}, reservation="confirmed")
    given = await do(answering, shop, replace(AT_CAPTURE, step=Step.RELEASE, sold=False))
    assert (given, shop.changes) == ({"sold": True}, ["/reservations/r/release", "/stock/a/receive"])


async def test_a_reservation_that_is_not_known_any_more_holds_nothing(answering: Answering) -> None:
    shop = Services7({}, code="not_found")
    assert await do(answering, shop, replace(AT_CAPTURE, step=Step.RELEASE, sold=False)) == {}


async def test_past_its_time_a_step_asks_nobody(answering: Answering) -> None:
    shop = Services7({})
    at = f"http://{answering(shop.answer)}"
    async with Services({"payment-service": at}, call_seconds=5.0) as services:
        with pytest.raises(NoClearWord, match="time is over"):
            await Steps(services, cast(OrderStore, None), 5.0).do(AT_CAPTURE, Deadline(0))
    assert shop.changes == []
