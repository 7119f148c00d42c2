"""What may happen to a payment, and what it comes to."""

import itertools
import re
from decimal import Decimal

import pytest

from lakeproof_shop.services.payment.cards import DECLINING, decline_code, fingerprint
from lakeproof_shop.services.payment.models import Amounts, Op, Status, amounts_after
from lakeproof_shop.services.payment.requests import AMOUNT_PATTERN, AmountRequest, AuthorizeRequest
from lakeproof_shop.serving.operation import RuleRefused, operation

ALL = Decimal("15.30")
SOME = Decimal("5.00")


def payment(status: Status, captured: Decimal = Decimal(0), refunded: Decimal = Decimal(0)) -> Amounts:
    return Amounts(status, ALL, captured, refunded)


def test_a_payment_goes_from_authorized_to_refunded_in_parts() -> None:
    captured, moved = amounts_after(Op.CAPTURE, payment(Status.AUTHORIZED), None)
    assert (captured, moved) == (payment(Status.CAPTURED, ALL), ALL)
    part, moved = amounts_after(Op.REFUND, captured, SOME)
    assert (part, moved) == (payment(Status.PARTIALLY_REFUNDED, ALL, SOME), SOME)
    rest, moved = amounts_after(Op.REFUND, part, None)
    assert (rest, moved) == (payment(Status.REFUNDED, ALL, ALL), ALL - SOME)


def test_less_may_be_captured_and_then_only_that_is_given_back() -> None:
    captured, _ = amounts_after(Op.CAPTURE, payment(Status.AUTHORIZED), SOME)
    assert captured == payment(Status.CAPTURED, SOME)
    assert amounts_after(Op.REFUND, captured, None)[0] == payment(Status.REFUNDED, SOME, SOME)


@pytest.mark.parametrize(
    ("op", "before", "amount", "why"),
    [
        (Op.CAPTURE, payment(Status.AUTHORIZED), ALL + Decimal("0.01"), "more_than_authorized"),
        (Op.REFUND, payment(Status.CAPTURED, ALL), 1000 * ALL, "more_than_captured"),
        (Op.REFUND, payment(Status.PARTIALLY_REFUNDED, ALL, SOME), ALL, "more_than_captured"),
    ],
)
def test_no_more_than_there_is(op: Op, before: Amounts, amount: Decimal, why: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        amounts_after(op, before, amount)
    assert refused.value.why == why


def test_every_other_change_of_every_status_is_refused() -> None:
    allowed = {
        (Op.CAPTURE, Status.AUTHORIZED),
        (Op.VOID, Status.AUTHORIZED),
        (Op.REFUND, Status.CAPTURED),
        (Op.REFUND, Status.PARTIALLY_REFUNDED),
    }
    for op, status in itertools.product((Op.CAPTURE, Op.REFUND, Op.VOID), Status):
        if (op, status) not in allowed:
            with pytest.raises(RuleRefused, match=f"cannot {op} a payment that is {status}"):
                amounts_after(op, payment(status, ALL, SOME), None)


@pytest.mark.parametrize("amount", ["0.01", "0.1", "0.10", "1", "9.9", "15.30", "99999.99"])
def test_amounts_within_the_limits_are_taken(amount: str) -> None:
    assert re.fullmatch(AMOUNT_PATTERN, amount)


@pytest.mark.parametrize(
    "amount",
    ["0", "0.00", "0.0", "-1", "-499.00", "100000", "99999.999", "1.", ".5", "1e3", "NaN", "007", "1,50", ""],
)
def test_amounts_beyond_them_are_not(amount: str) -> None:
    assert not re.fullmatch(AMOUNT_PATTERN, amount)


def test_equal_requests_have_one_digest_however_they_are_written() -> None:
    def digest(op: Op, body: str, payment_id: int | None = 7) -> bytes:
        return operation(op, "k", payment_id, body).digest

    five = AmountRequest(amount="5").canonical()
    assert digest(Op.REFUND, five) == digest(Op.REFUND, AmountRequest(amount="5.00").canonical())
    assert digest(Op.REFUND, five) != digest(Op.REFUND, AmountRequest().canonical())
    assert digest(Op.REFUND, five) != digest(Op.CAPTURE, five)
    assert digest(Op.REFUND, five) != digest(Op.REFUND, five, 8)


def test_a_card_is_declined_by_its_token_alone_and_the_token_is_not_kept() -> None:
    assert decline_code("tok_visa") is None
    assert decline_code("tok_insufficient_funds") == "insufficient_funds"
    for token in DECLINING:
        AuthorizeRequest(order_id=1, customer_id=1, amount="1.00", card=token)
        assert token.removeprefix("tok_") not in fingerprint(token)
