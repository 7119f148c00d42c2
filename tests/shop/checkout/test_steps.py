"""A checkout's course, its request kept and given back, and how another service's answers are read. No engine."""

from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Step, Undoing
from lakeproof_shop.services.checkout.requests import CheckoutRequest
from lakeproof_shop.services.checkout.services import NoClearWord, ServiceRefused, Services

ADDRESS = {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}
BASKET: dict[str, Any] = {
    "customer_id": 5,
    "card": "tok_visa",
    "address": ADDRESS,
    "items": [{"sku": "a", "quantity": 2, "unit_price": "6.15"}, {"sku": "b", "quantity": 1, "unit_price": 3}],
}


def test_every_step_leads_to_an_end() -> None:
    for step in Step:
        seen = [step]
        while not seen[-1].is_end:
            seen.append(seen[-1].following)
        undone = {undoing.steps[-1] for undoing in Undoing if step in undoing.steps}
        assert {seen[-1]} == (undone or {Step.FAILED if step.is_turned_back else Step.DONE})


def test_a_stored_request_is_the_same_request() -> None:
    asked = CheckoutRequest.model_validate(BASKET)
    again = CheckoutRequest.of_stored(asked.stored())
    assert (again.total, again.digest(), again.canonical()) == (asked.total, asked.digest(), asked.canonical())


def test_equal_requests_have_equal_digests_however_they_are_written() -> None:
    other = BASKET | {"items": [BASKET["items"][0], BASKET["items"][1] | {"unit_price": "3.00"}]}
    assert CheckoutRequest.model_validate(other).digest() == CheckoutRequest.model_validate(BASKET).digest()
    another = BASKET | {"card": "tok_other"}
    assert CheckoutRequest.model_validate(another).digest() != CheckoutRequest.model_validate(BASKET).digest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": [BASKET["items"][0], BASKET["items"][0]]},
        {"items": [{"sku": "a", "quantity": 1000, "unit_price": "100.00"}]},
        {"card": "4111111111111111"},
        {"email": "nobody"},
    ],
)
def test_what_cannot_be_bought_is_refused_before_anything_is_done(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CheckoutRequest.model_validate(BASKET | wrong)


async def asked(answering: Answering, status: int, body: object) -> dict[str, Any]:
    address = answering(lambda *_: (status, body))
    async with Services({"payment-service": f"http://{address}"}, call_seconds=5.0) as services:
        return await services.until(Deadline(5)).post("payment-service", "/payments", "key", {})


async def test_a_success_gives_its_json(answering: Answering) -> None:
    assert await asked(answering, 201, {"id": 7}) == {"id": 7}


@pytest.mark.parametrize("status", [402, 404, 409, 422])
async def test_a_refusal_says_its_code(answering: Answering, status: int) -> None:
    with pytest.raises(ServiceRefused) as refused:
        await asked(answering, status, {"error": {"code": "card_declined", "message": "no"}})
    assert refused.value.code == "card_declined"


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, {"error": {"code": "unclear", "message": "x"}}), (500, b"oops"), (429, {}), (200, b"not json"), (200, [])],
)
async def test_everything_else_is_no_clear_word(answering: Answering, status: int, body: object) -> None:
    with pytest.raises(NoClearWord):
        await asked(answering, status, body)


async def test_nobody_there_is_no_clear_word() -> None:
    async with Services({"payment-service": "http://127.0.0.1:9"}, call_seconds=5.0) as services:
        with pytest.raises(NoClearWord):
            await services.until(Deadline(5)).post("payment-service", "/payments", "key")
