"""Wrong sums, money kept for nothing, a checkout that stands: each breaks the claim that is for it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.proof.claims.shop_in_order import (
    BOUGHT,
    CANCELLED,
    FAILED,
    IN_ORDER,
    MONEY,
    NOTHING,
    OPEN,
    PAID,
    PAYMENTS,
    RETURNED,
    claims_broken_by,
    with_checkouts,
    with_payment,
    with_payments,
)

from lakeproof_shop.customers.ledger import PurchaseFact
from lakeproof_shop.proof.claims.facts import CheckoutFact, PaymentFact, ShopFacts


def without(gone: CheckoutFact) -> ShopFacts:
    return replace(IN_ORDER, checkouts=tuple(one for one in IN_ORDER.checkouts or () if one.key != gone.key))


FAULTS: list[tuple[str, ShopFacts, str]] = [
    ("a payment changed by SQL", with_payment(captured=Decimal("99.00")), "each payment is the sum"),
    ("refunded beyond", with_payment(refunded=Decimal("20.00"), refunded_by_events=Decimal("20.00")), "each payment"),
    ("charged, order unpaid", replace(IN_ORDER, checkouts=(replace(BOUGHT, order_status="created"),)), "captured"),
    ("bought, not charged", replace(IN_ORDER, payments=()), "captured money"),
    (
        "charged twice",
        replace(IN_ORDER, payments=(PAID, replace(PAID, id=12))),
        "captured money",
    ),
    (
        "charged for nothing",
        replace(IN_ORDER, payments=(PAID, replace(PAID, id=12, order_id=2))),
        "captured money",
    ),
    (
        "charged for an order that nobody placed",
        replace(IN_ORDER, payments=(*PAYMENTS, replace(PAID, id=12, order_id=99))),
        "captured money",
    ),
    (
        "cancelled, money kept",
        with_payments(14, status="captured", refunded=NOTHING, refunded_by_events=NOTHING),
        "captured money",
    ),
    (
        "returned, refunded in part",
        with_payments(15, status="partially_refunded", refunded=Decimal("1.00"), refunded_by_events=Decimal("1.00")),
        "captured money",
    ),
    ("cancelled, order still paid", with_checkouts(replace(CANCELLED, order_status="paid")), "captured money"),
    ("returned, never charged", with_payments(15, captured=NOTHING, refunded=NOTHING), "captured money"),
    ("at a step that nobody knows", with_checkouts(replace(BOUGHT, step="dnoe")), "at a step that there is"),
    ("asked for nothing", with_checkouts(replace(FAILED, items=())), "names what was asked for"),
    (
        "at a step that nobody knows for ever",
        with_checkouts(replace(OPEN, step="dnoe", open_seconds=601.0)),
        "no checkout is stuck",
    ),
    (
        "failed, never voided",
        with_payments(18, status="authorized"),
        "stays authorized",
    ),
    (
        "failed, another payment for its order still authorized",
        replace(IN_ORDER, payments=(*PAYMENTS, PaymentFact(17, 2, "authorized", *[NOTHING] * 4))),
        "stays authorized",
    ),
    (
        "failed, its payment gone",
        replace(IN_ORDER, payments=tuple(one for one in PAYMENTS if one.id != 18)),
        "stays authorized",
    ),
    ("stuck", replace(IN_ORDER, checkouts=(BOUGHT, replace(OPEN, open_seconds=900.0))), "stuck"),
    *(
        (f"{one.step}, and its checkout gone", without(one), "has its checkout")
        for one in (BOUGHT, FAILED, CANCELLED)
    ),
    *(
        (
            f"{one.step}, and its checkout gone, where others use the shop too",
            replace(without(one), only_ours=False),
            "has its checkout",
        )
        for one in (BOUGHT, CANCELLED, RETURNED)
    ),
    ("a purchase whose checkout has another order", with_checkouts(replace(FAILED, order_id=9)), "has its checkout"),
    ("told as paid, and failed", with_checkouts(replace(BOUGHT, step="failed")), "has its checkout"),
    ("told as cancelled, and bought", with_checkouts(replace(CANCELLED, step="done")), "has its checkout"),
    ("told as returned, and cancelled", with_checkouts(replace(RETURNED, step="cancelled")), "has its checkout"),
    (
        "asked for and stuck",
        with_checkouts(replace(CANCELLED, step="refund", open_seconds=900.0)),
        "no checkout is stuck",
    ),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_of_money_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = claims_broken_by(facts)
    assert any(claim in name for name in broken), broken


@pytest.mark.parametrize(
    "facts",
    [
        with_payment(refunded=Decimal("1.00"), refunded_by_events=Decimal("1.00"), status="partially_refunded"),
        replace(IN_ORDER, only_ours=False, payments=(*PAYMENTS, replace(PAID, id=12, order_id=99))),
        replace(
            IN_ORDER,
            payments=(
                *PAYMENTS,
                PaymentFact(12, 99, "authorized", NOTHING, NOTHING, NOTHING, NOTHING),
                PaymentFact(16, 98, "refunded", MONEY, MONEY, MONEY, MONEY),
            ),
        ),
        with_checkouts(replace(FAILED, key="f", payment_id=None, order_id=9)),
        replace(IN_ORDER, only_ours=False, payments=(*PAYMENTS, PaymentFact(17, 2, "authorized", *[NOTHING] * 4))),
        replace(IN_ORDER, purchases=()),
        replace(with_checkouts(replace(CANCELLED, step="recall")), purchases=(PurchaseFact("d", 4, None),)),
    ],
    ids=[
        *("refunded in part", "others use it too", "nothing kept for nobody"),
        *("failed before it was authorized", "somebody else's payment for a failed checkout's order"),
        *("checkouts that no ledger knows", "a buyer's wish under way"),
    ],
)
def test_money_in_order_breaks_nothing(facts: ShopFacts) -> None:
    assert claims_broken_by(facts) == set()
