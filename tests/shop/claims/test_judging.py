"""Each claim holds for a shop in order and is broken by exactly the fault that it is for. No engine."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from lakeproof.shop.claims.facts import (
    CheckoutFact,
    OutboxFact,
    ParcelFact,
    PaymentFact,
    ReservedLine,
    ShopFacts,
)
from lakeproof.shop.claims.judging import CLAIMS, oversold
from lakeproof.shop.claims.looking import settled
from lakeproof.shop.inventory.audit import LineSum, SkuTotals

MONEY = Decimal("12.30")
NOTHING = Decimal("0.00")
BOUGHT = CheckoutFact("a", "done", 0.0, 1, 11, "r1", "paid", MONEY)
FAILED = CheckoutFact("b", "failed", 0.0, 2, None, "r2", "cancelled", MONEY)
OPEN = CheckoutFact("c", "capture", 5.0, 3, 13, "r3", "created", MONEY)
PAID = PaymentFact(11, 1, "captured", MONEY, NOTHING, MONEY, NOTHING)
IN_ORDER = ShopFacts(
    checkouts=(BOUGHT, FAILED, OPEN),
    payments=(PAID, PaymentFact(13, 3, "authorized", NOTHING, NOTHING, NOTHING, NOTHING)),
    parcels=(ParcelFact(21, 1, "shipped"),),
    outboxes=(OutboxFact("payment", 2, 0.5),),
    steady=frozenset({"s"}),
    totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, 9),),
    sums={"s": (LineSum("received", 1, 10), LineSum("sold", 1, 2), LineSum("held", 1, 1), LineSum("released", 1, 2))},
    lines=(
        ReservedLine("r1", "s", "sold", 2),
        ReservedLine("r2", "s", "released", 2),
        ReservedLine("r3", "s", "held", 1),
    ),
)


def test_in_a_shop_in_order_every_claim_holds() -> None:
    assert {name: claim(IN_ORDER) for name, claim in CLAIMS.items()} == {name: [] for name in CLAIMS}
    assert oversold(IN_ORDER) == 0


def with_payment(**changes: object) -> ShopFacts:
    return replace(IN_ORDER, payments=(replace(PAID, **changes), *(IN_ORDER.payments or ())[1:]))  # type: ignore[arg-type]


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
    ("never sent", replace(IN_ORDER, parcels=()), "is sent, once"),
    (
        "sent twice",
        replace(IN_ORDER, parcels=(ParcelFact(21, 1, "shipped"), ParcelFact(22, 1, "requested"))),
        "is sent, once",
    ),
    (
        "sent for nothing",
        replace(IN_ORDER, parcels=(ParcelFact(21, 1, "shipped"), ParcelFact(22, 2, "shipped"))),
        "sent",
    ),
    ("stuck", replace(IN_ORDER, checkouts=(BOUGHT, replace(OPEN, age_seconds=900.0))), "stuck"),
    ("oversold", replace(IN_ORDER, totals=(SkuTotals("s", 9, 10, 11, 1, 1, 9, 9),)), "never below zero"),
    ("a line without its totals", replace(IN_ORDER, sums={"s": ()}), "never below zero"),
    (
        "sold goods given back",
        replace(IN_ORDER, lines=(ReservedLine("r1", "s", "released", 2),)),
        "what was bought is sold",
    ),
    (
        "failed and still held",
        replace(IN_ORDER, lines=(ReservedLine("r1", "s", "sold", 2), ReservedLine("r2", "s", "held", 2))),
        "what was bought is sold",
    ),
    (
        "a relay that stands",
        replace(IN_ORDER, outboxes=(OutboxFact("payment", 3, 90.0),)),
        "reach Kafka",
    ),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = {name for name, judge in CLAIMS.items() if judge(facts)}
    assert any(claim in name for name in broken), broken


@pytest.mark.parametrize(
    "facts",
    [
        with_payment(refunded=Decimal("1.00"), refunded_by_events=Decimal("1.00"), status="partially_refunded"),
        replace(IN_ORDER, sums={"s": ()}, steady=frozenset()),
        replace(
            IN_ORDER,
            checkouts=(replace(BOUGHT, age_seconds=9 * 86_400.0),),
            sums={"s": ()},
            lines=(),
        ),
    ],
    ids=["refunded in part", "changed while it was read", "older than lines are kept"],
)
def test_what_is_in_order_breaks_nothing(facts: ShopFacts) -> None:
    assert not any(claim(facts) for claim in CLAIMS.values())


def test_inventorys_relay_is_told_where_it_stands_still_and_not_where_it_moves() -> None:
    def with_sent(sent: int) -> ShopFacts:
        return replace(IN_ORDER, totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, sent),))

    still = settled(looks(with_sent(3)), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert still.broken["shop: events reach Kafka"] == ["inventory s after event 3: 6 events unsent"]
    moves = settled(
        looks(with_sent(3), with_sent(5), with_sent(6)), lambda text: None, settle_seconds=0.05, pause_seconds=0.01
    )
    assert moves.broken["shop: events reach Kafka"] == []


def test_another_checkout_at_each_look_is_not_one_that_lasts() -> None:
    def unsent_parcel_of(key: str) -> ShopFacts:
        return replace(IN_ORDER, checkouts=(replace(BOUGHT, key=key),), parcels=())

    numbers = itertools.count()
    found = settled(
        lambda: unsent_parcel_of(f"run:{next(numbers)}"), lambda text: None, settle_seconds=0.05, pause_seconds=0.01
    )
    assert not any(found.broken.values())


def test_a_store_that_is_not_there_is_not_judged() -> None:
    assert {name: claim(ShopFacts()) for name, claim in CLAIMS.items()} == dict.fromkeys(CLAIMS, None)
    assert oversold(ShopFacts()) is None


def looks(*facts: ShopFacts) -> Callable[[], ShopFacts]:
    left = list(facts)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_what_is_broken_for_a_moment_is_not_told_and_what_lasts_is() -> None:
    stuck = with_payment(captured=Decimal("99.00"))
    found = settled(looks(stuck, IN_ORDER), lambda text: None, settle_seconds=30, pause_seconds=0)
    assert not any(found.broken.values())
    found = settled(looks(stuck), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert [name for name, broken in found.broken.items() if broken] == [
        "shop: each payment is the sum of its events",
        "shop: captured money is shipped, refunded or open, and belongs to one paid order",
    ]
