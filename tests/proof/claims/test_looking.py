"""Of several looks: what lasts is told, what was only so for a moment is not, what could not be read is unknown."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.proof.claims.shop_in_order import (
    BOUGHT,
    FILE,
    IN_ORDER,
    OLD,
    OPEN,
    PAID,
    PAYMENTS,
    TIMELINE,
    parcel,
    with_checkouts,
    with_parcels,
    with_payment,
)

from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import looking
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import ActFact, DeliveryFact, Part, ReservedLine, Scope, ShopFacts, Store
from lakeproof_shop.proof.claims.looking import ShopReport, settled
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals


def looks(*facts: ShopFacts, asked: list[Scope] | None = None) -> Callable[[Scope], ShopFacts]:
    left = list(facts)

    def look(scope: Scope) -> ShopFacts:
        if asked is not None:
            asked.append(scope)
        return left.pop(0) if len(left) > 1 else left[0]

    return look


def broken(found: ShopReport) -> list[str]:
    """The claims that do not hold."""
    return [name for name, one in found.claims.items() if one.keys]


def test_inventorys_relay_is_told_where_it_stands_still_and_not_where_it_moves() -> None:
    def with_sent(sent: int) -> ShopFacts:
        return replace(IN_ORDER, totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, sent),))

    still = settled(looks(with_sent(3)), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert still.claims["shop: events reach Kafka"].keys == ("inventory s after event 3: 6 events unsent",)
    moves = settled(
        looks(with_sent(3), with_sent(5), with_sent(6)), lambda text: None, settle_seconds=0.05, pause_seconds=0.01
    )
    assert moves.claims["shop: events reach Kafka"].keys == ()


def test_another_checkout_at_each_look_is_not_one_that_lasts() -> None:
    def unsent_parcel_of(key: str) -> ShopFacts:
        return replace(IN_ORDER, purchases=(), checkouts=(replace(BOUGHT, key=key),), parcels=())

    numbers = itertools.count()
    found = settled(
        lambda scope: unsent_parcel_of(f"run:{next(numbers)}"),
        lambda text: None,
        settle_seconds=0.05,
        pause_seconds=0.01,
    )
    assert not broken(found)


STOCK = "shop: received - sold - reserved = on hand, never below zero"
LOST_LINE = replace(IN_ORDER, sums={"s": (LineSum("received", 1, 10), LineSum("held", 1, 1))})
BOUGHT_NOW = replace(LOST_LINE, steady=frozenset())


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ((LOST_LINE, BOUGHT_NOW), "unknown"),
        ((LOST_LINE, BOUGHT_NOW, LOST_LINE, BOUGHT_NOW), "broken"),
        ((LOST_LINE, BOUGHT_NOW, IN_ORDER), "whole"),
        ((BOUGHT_NOW,), "whole"),
    ],
    ids=["judged once", "judged twice", "in order when it was judged again", "never judged, which is counted"],
)
def test_what_a_later_look_could_not_judge_is_not_mended_by_that(seen: tuple[ShopFacts, ...], verdict: str) -> None:
    """A SKU that is bought all the time keeps still at few looks."""
    found = settled(looks(*seen), lambda text: None, settle_seconds=0.1, pause_seconds=0.01)
    assert (STOCK in broken(found), any(STOCK in told for told in found.unknown)) == (
        verdict == "broken",
        verdict == "unknown",
    )


def test_one_sku_that_was_judged_once_does_not_hide_one_that_is_broken_for_certain() -> None:
    two = tuple(replace((IN_ORDER.totals or ())[0], sku=sku) for sku in "st")
    sums = {sku: (LOST_LINE.sums or {})["s"] for sku in "st"}
    both = replace(LOST_LINE, totals=two, sums=sums, young=frozenset("st"))
    first, later = replace(both, steady=frozenset("st")), replace(both, steady=frozenset("t"))
    found = settled(looks(first, later), lambda text: None, settle_seconds=0.1, pause_seconds=0.01)
    assert all(word.startswith("t: ") for word in found.claims[STOCK].keys) and found.claims[STOCK].keys
    assert [told for told in found.unknown if STOCK in told] == [f"{STOCK}: s did not hold at the only look at it"]


def test_a_file_a_case_and_an_event_that_were_broken_are_looked_at_again_by_name() -> None:
    rotten = replace(
        IN_ORDER,
        attachments=(replace(FILE, found_sha256="abc"),),
        timelines=(replace(TIMELINE, shown=()),),
        acts=(ActFact("0c", "payment.captured", False, None, False),),
    )
    asked: list[Scope] = []
    slower = replace(rotten, attachments=(), timelines=(), acts=())
    found = settled(looks(rotten, slower, asked=asked), lambda text: None, settle_seconds=0.1, pause_seconds=0.01)
    named = (asked[1].attachments, asked[1].cases, asked[1].events)
    assert named == (frozenset({42}), frozenset({31}), frozenset({"0c"}))
    assert not broken(found) and len(found.unknown) == 3, "they were seen once, and that is no reason to pass them"


def test_it_is_told_how_many_were_judged_and_that_nothing_was_old_enough() -> None:
    found = settled(looks(replace(IN_ORDER, acts=())), lambda text: None)
    judged = {name: (one.judged, one.subjects) for name, one in found.claims.items()}
    assert judged["shop: events of the last 1 h are acted on, once"] == (0, "events sent 120 s ago or longer")
    assert judged["shop: each payment is the sum of its events"] == (5, "payments")
    assert judged["shop: what was bought is sent, once"] == (4, "ended checkouts")
    assert set(judged) == set(CLAIMS)


def test_what_a_claim_lets_pass_or_could_not_ask_for_is_said() -> None:
    held = with_parcels(
        *(parcel(27, 3, "requested", late_seconds=-60.0), parcel(28, 3, "requested")), parcel(29, 99, "requested")
    )
    some = replace(
        held,
        deliveries=(DeliveryFact("payment", 9, 0, 3, ()), DeliveryFact("inventory", 9, 5, 0, ())),
        cases=70,
        seed=6,
        only_ours=False,
        payments=(*PAYMENTS, replace(PAID, id=12, order_id=99)),
    )
    asides = {one.aside for one in settled(looks(some), lambda text: None).claims.values()}
    assert asides == {
        "",
        "1 of them held until later",
        "3 more are of a time that their topic does not keep any more; inventory: 5 more were too many to ask for",
        "of 70; the others by seed 6",
        "1 payments for others' orders",
        "1 parcels for others' orders",
    }
    assert {claim.aside(IN_ORDER) for claim in CLAIMS.values()} == {""}


def test_what_is_told_of_a_payment_or_parcel_is_looked_at_again_with_all_of_its_order() -> None:
    nobodys = replace(IN_ORDER, payments=(*PAYMENTS, replace(PAID, id=12, order_id=99)))
    asked: list[Scope] = []
    settled(looks(nobodys, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert (asked[1].payments, asked[1].orders) == (frozenset({12}), frozenset({99}))
    assert asked[1].parts == {Part.CHECKOUTS, Part.PAYMENTS}
    asked.clear()
    late = with_parcels(parcel(27, 3, "requested", late_seconds=601.0))
    settled(looks(late, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert asked[1] == Scope(frozenset({Part.PARCELS}), frozenset(), frozenset({3}), frozenset())
    asked.clear()
    settled(
        looks(with_parcels(parcel(27, 99, "requested")), IN_ORDER, asked=asked), lambda text: None, pause_seconds=0
    )
    assert asked[1] == Scope(frozenset({Part.CHECKOUTS, Part.PARCELS}), frozenset(), frozenset({99}), frozenset())


def test_what_was_judged_is_counted_at_the_whole_look() -> None:
    later = replace(ShopFacts(), checkouts=(BOUGHT,), parcels=(parcel(21, 1, "shipped"),))
    found = settled(looks(with_parcels(without=21), later), lambda text: None, pause_seconds=0)
    assert found.claims["shop: what was bought is sent, once"].judged == 4


@pytest.mark.parametrize(
    ("left", "worker", "claim"),
    [
        (with_parcels(parcel(27, 3, "requested", late_seconds=9e5)), Store.SENDING, "no parcel waits"),
        (
            replace(IN_ORDER, lines=(ReservedLine("r9", "s", "held", 1, overdue_seconds=9e5),)),
            Store.SHELVING,
            "held past its time",
        ),
        (with_checkouts(replace(OPEN, open_seconds=9e5)), Store.PAYING, "no checkout is stuck"),
    ],
    ids=["parcel", "line", "checkout"],
)
def test_what_an_earlier_stack_left_waiting_is_not_judged_where_nobody_is_to_end_it(
    left: ShopFacts, worker: Store, claim: str
) -> None:
    (name,) = (name for name in CLAIMS if claim in name)
    assert CLAIMS[name](left)
    without = settled(looks(replace(left, there=left.there - {worker})), lambda text: None, settle_seconds=0)
    assert name not in without.claims
    # without any of them no checkout comes to its end either
    assert set(CLAIMS) - set(without.claims) == {name, "shop: no checkout is stuck"}


def test_after_the_first_look_only_what_is_broken_is_read_again() -> None:
    asked: list[Scope] = []
    stuck = replace(with_parcels(without=21), totals=(SkuTotals("s", 9, 10, 11, 1, 1, 9, 9),))
    found = settled(looks(stuck, asked=asked), lambda text: None, settle_seconds=0.2, pause_seconds=0.01)
    assert asked[0] == Scope() and len(asked) > 1
    assert asked[1].parts == {Part.CHECKOUTS, Part.PARCELS, Part.STOCK}
    assert asked[1] == Scope(asked[1].parts, frozenset({"a"}), frozenset({1}), frozenset())
    assert found.oversold == 2
    asked.clear()
    settled(looks(with_payment(captured=Decimal("99.00")), IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert asked[1].payments == frozenset({11}) and asked[1].parts == {Part.CHECKOUTS, Part.PAYMENTS}
    assert len(asked) == 2


def test_what_was_read_whole_stays_known_where_a_later_look_does_not_read_it() -> None:
    later = replace(ShopFacts(), checkouts=(BOUGHT,), parcels=(parcel(21, 1, "shipped"),))
    found = settled(looks(with_parcels(without=21), later), lambda text: None, pause_seconds=0)
    assert not broken(found) and found.oversold == 0 and len(found.claims) == len(CLAIMS)


AWAY = replace(ShopFacts(), unknown={Part.TIMELINES: "support-service: lacks payment"})
TIMELINES_CLAIM = "shop: timelines are whole, and show nothing old"


def without_timelines(facts: ShopFacts) -> ShopFacts:
    return replace(facts, timelines=None, unknown=AWAY.unknown)


def test_what_could_not_be_read_is_unknown_and_hides_nothing_else() -> None:
    broken = without_timelines(with_payment(captured=Decimal("99.00")))
    found = settled(looks(broken), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.unknown == ("support-service: lacks payment",)
    assert TIMELINES_CLAIM not in found.claims and found.claims["shop: each payment is the sum of its events"].keys


def test_what_could_not_be_read_for_a_moment_is_read_again_whole_and_judged() -> None:
    asked: list[Scope] = []
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    away = without_timelines(IN_ORDER)
    found = settled(looks(away, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert (found.unknown, broken(found), set(found.claims)) == ((), [], set(CLAIMS))
    assert asked == [Scope(), Scope(frozenset({Part.TIMELINES}))]
    found = settled(looks(away, old), lambda text: None, settle_seconds=0.5, pause_seconds=0.01)
    assert found.claims[TIMELINES_CLAIM].keys
    found = settled(looks(old, away, old), lambda text: None, settle_seconds=0.5, pause_seconds=0.01)
    assert found.claims[TIMELINES_CLAIM].keys


def test_what_can_be_judged_at_the_last_look_only_is_looked_at_once_more() -> None:
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    asked: list[Scope] = []
    found = settled(looks(old, IN_ORDER, asked=asked), lambda text: None, settle_seconds=0, pause_seconds=0)
    assert (len(asked), found.unknown, found.claims[TIMELINES_CLAIM].keys) == (2, (), ())
    found = settled(looks(old, asked=asked), lambda text: None, settle_seconds=0, pause_seconds=0)
    assert (len(asked), found.unknown) == (4, ()) and found.claims[TIMELINES_CLAIM].keys


def test_what_does_not_hold_at_the_one_look_that_could_judge_it_is_unknown() -> None:
    wrong = with_payment(captured=Decimal("99.00"))
    old = replace(wrong, timelines=(replace(TIMELINE, shown=(OLD,)),))
    asked: list[Scope] = []
    read = looks(without_timelines(wrong), old, asked=asked)
    found = settled(read, lambda text: None, settle_seconds=0, pause_seconds=0)
    assert len(asked) == 2 and found.claims["shop: each payment is the sum of its events"].keys
    assert TIMELINES_CLAIM not in found.claims
    assert found.unknown == (f"{TIMELINES_CLAIM}: does not hold at the only look at it",)


def test_what_was_broken_and_then_could_not_be_read_is_neither_broken_nor_whole() -> None:
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    found = settled(looks(old, AWAY), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.unknown and TIMELINES_CLAIM not in found.claims


def test_what_is_broken_for_a_moment_is_not_told_and_what_lasts_is() -> None:
    stuck = with_payment(captured=Decimal("99.00"))
    found = settled(looks(stuck, IN_ORDER), lambda text: None, settle_seconds=30, pause_seconds=0)
    assert not broken(found)
    found = settled(looks(stuck), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert broken(found) == [
        "shop: each payment is the sum of its events",
        "shop: captured money is shipped, refunded or open, and belongs to one paid order",
    ]


def test_facts_that_nobody_foresaw_are_unknown_and_end_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = replace(IN_ORDER, outboxes=(replace((IN_ORDER.outboxes or ())[0], oldest_unsent_seconds=None),))  # type: ignore[arg-type]
    monkeypatch.setattr(looking, "stores_of", lambda stack: frozenset(Store))
    monkeypatch.setattr(looking, "read_facts", lambda *_: spoilt)
    found = looking.look(Stack(Settings(state_dir=Path("/nowhere"))))
    (reason,) = found.unknown
    assert found.claims == {} and reason.startswith("shop: not judged: TypeError: ")
