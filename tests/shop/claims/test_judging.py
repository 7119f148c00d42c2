"""Each claim holds for a shop in order and is broken by exactly the fault that it is for. No engine."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from lakeproof.shop.checkout.models import restock_key
from lakeproof.shop.claims.facts import (
    ActFact,
    CheckoutFact,
    DeliveryFact,
    MissingEvent,
    OutboxFact,
    ParcelFact,
    Part,
    PaymentFact,
    PreferenceFact,
    Receipt,
    ReservedLine,
    Scope,
    ShopFacts,
    Store,
    TimelineFact,
    ToldFact,
)
from lakeproof.shop.claims.judging import CLAIMS, oversold
from lakeproof.shop.claims.looking import settled
from lakeproof.shop.inventory.audit import LineSum, SkuTotals
from lakeproof.shop.inventory.models import receipt_id

MONEY = Decimal("12.30")
BYTES = 120


def parcel(id_: int, order_id: int, status: str, late_seconds: float = 0.0) -> ParcelFact:
    return ParcelFact(id_, order_id, status, status, late_seconds=late_seconds, label_bytes=BYTES)


NOTHING = Decimal("0.00")
BOUGHT = CheckoutFact("a", "done", 0.0, 1, 11, "r1", "paid", MONEY)
FAILED = CheckoutFact("b", "failed", 0.0, 2, None, "r2", "cancelled", MONEY)
OPEN = CheckoutFact("c", "capture", 5.0, 3, 13, "r3", "created", MONEY)
CANCELLED = CheckoutFact("d", "cancelled", 0.0, 4, 14, "r4", "cancelled", MONEY, back=(("s", 2),))
RETURNED = CheckoutFact("e", "returned", 0.0, 5, 15, "r5", "returned", MONEY, back=(("s", 2),))
TWO_LINES = replace(BOUGHT, lines=2)
BACK = tuple(Receipt(str(receipt_id(restock_key(key, 0))), "s", 2) for key in "de")
ENTRY, OLD = ("t1", "order", "order.paid", 1), ("t0", "order", "order.created", 1)
TIMELINE = TimelineFact(31, 1, (OLD, ENTRY), (OLD, ENTRY))
PAID = PaymentFact(11, 1, "captured", MONEY, NOTHING, MONEY, NOTHING)
LABELS = {"ready/21": BYTES, "ready/25": BYTES}
IN_ORDER = ShopFacts(
    checkouts=(BOUGHT, FAILED, OPEN, CANCELLED, RETURNED),
    payments=(
        PAID,
        PaymentFact(13, 3, "authorized", NOTHING, NOTHING, NOTHING, NOTHING),
        PaymentFact(14, 4, "refunded", MONEY, MONEY, MONEY, MONEY),
        PaymentFact(15, 5, "refunded", MONEY, MONEY, MONEY, MONEY),
    ),
    parcels=(parcel(21, 1, "shipped"), parcel(24, 4, "cancelled"), parcel(25, 5, "returned")),
    labels=LABELS,
    outboxes=(OutboxFact("payment", 2, 0.5),),
    deliveries=(DeliveryFact("payment", 9, 0, 0, ()),),
    steady=frozenset({"s"}),
    totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, 9),),
    sums={"s": (LineSum("received", 1, 10), LineSum("sold", 1, 2), LineSum("held", 1, 1), LineSum("released", 1, 2))},
    lines=(
        ReservedLine("r1", "s", "sold", 2),
        ReservedLine("r2", "s", "released", 2),
        ReservedLine("r3", "s", "held", 1),
        ReservedLine("r4", "s", "sold", 2),
        ReservedLine("r5", "s", "sold", 2),
    ),
    receipts=BACK,
    acts=(
        ActFact("e1", "payment.captured", True, None, True),
        ActFact("e2", "status.shipped", True, "invalid_payload", False),
    ),
    timelines=(TIMELINE,),
    told=(ToldFact("k1", 31, (31,)), ToldFact("k2", None, ()), ToldFact("k3", None, (32,)), ToldFact("k4", 0, ())),
    preferences=(
        PreferenceFact(7, 2, ("order/email",), 2, "order/email"),
        PreferenceFact(8, 1, ("",), 2, "x", ("x",)),
    ),
    there=frozenset(Store),
)

PAYMENTS = IN_ORDER.payments or ()


def with_checkouts(*changed: CheckoutFact) -> ShopFacts:
    keys = {one.key for one in changed}
    return replace(IN_ORDER, checkouts=(*(one for one in IN_ORDER.checkouts or () if one.key not in keys), *changed))


def with_payments(id_: int, **changes: object) -> ShopFacts:
    payments = [
        replace(one, **changes) if one.id == id_ else one  # type: ignore[arg-type]
        for one in IN_ORDER.payments or ()
    ]
    return replace(IN_ORDER, payments=tuple(payments))


def test_in_a_shop_in_order_every_claim_holds() -> None:
    assert {name: claim(IN_ORDER) for name, claim in CLAIMS.items()} == {name: [] for name in CLAIMS}
    assert oversold(IN_ORDER) == 0


def with_payment(**changes: object) -> ShopFacts:
    return with_payments(11, **changes)


def with_parcels(*more: ParcelFact, without: int = 0) -> ShopFacts:
    return replace(IN_ORDER, parcels=(*(one for one in IN_ORDER.parcels or () if one.id != without), *more))


def with_acts(*acts: ActFact) -> ShopFacts:
    return replace(IN_ORDER, acts=acts)


def with_preference(one: PreferenceFact) -> ShopFacts:
    return replace(IN_ORDER, preferences=(one,))


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
    ("never shipped", with_parcels(parcel(27, 9, "requested", late_seconds=601.0)), "no parcel waits"),
    ("ready, and not picked up", with_parcels(parcel(27, 9, "label_ready", late_seconds=601.0)), "no parcel waits"),
    (
        "shipped, says only the row",
        with_parcels(replace(parcel(21, 1, "shipped"), by_events="label_ready"), without=21),
        "newest event",
    ),
    ("an event lost", with_parcels(replace(parcel(21, 1, "shipped"), version=4), without=21), "newest event"),
    ("shipped without a label", replace(IN_ORDER, labels={"ready/25": BYTES}), "has its label"),
    ("a label cut off", replace(IN_ORDER, labels={"ready/21": BYTES - 1, "ready/25": BYTES}), "has its label"),
    (
        "cancelled, and its label can be picked up",
        replace(IN_ORDER, labels=LABELS | {"ready/24": BYTES}),
        "what was cancelled has none",
    ),
    (
        "held past its time",
        replace(IN_ORDER, lines=(*(IN_ORDER.lines or ()), ReservedLine("r9", "s", "held", 1, overdue_seconds=121.0))),
        "past its time",
    ),
    (
        "marked as sent, and lost",
        replace(IN_ORDER, deliveries=(DeliveryFact("payment", 9, 0, 0, (MissingEvent("payment", "e7"),)),)),
        "in Kafka's topics",
    ),
    ("never sent", replace(IN_ORDER, parcels=()), "is sent, once"),
    (
        "sent twice",
        replace(IN_ORDER, parcels=(parcel(21, 1, "shipped"), parcel(22, 1, "requested"))),
        "is sent, once",
    ),
    (
        "sent for nothing",
        replace(IN_ORDER, parcels=(parcel(21, 1, "shipped"), parcel(22, 2, "shipped"))),
        "sent",
    ),
    ("stuck", replace(IN_ORDER, checkouts=(BOUGHT, replace(OPEN, open_seconds=900.0))), "stuck"),
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
    ("cancelled, and sent", with_parcels(parcel(26, 4, "shipped")), "is sent, once"),
    ("returned, parcel still away", with_parcels(parcel(25, 5, "shipped"), without=25), "is sent, once"),
    ("undone, goods gone", replace(IN_ORDER, receipts=BACK[:1]), "on the shelf again"),
    (
        "undone, too many came back",
        replace(IN_ORDER, receipts=(BACK[0], replace(BACK[1], quantity=3))),
        "on the shelf again",
    ),
    (
        "bought, and goods came back",
        replace(IN_ORDER, receipts=(*BACK, Receipt(str(receipt_id(restock_key("a", 0))), "s", 2))),
        "on the shelf again",
    ),
    (
        "bought, and goods of its second line came back",
        replace(with_checkouts(TWO_LINES), receipts=(*BACK, Receipt(str(receipt_id(restock_key("a", 1))), "t", 1))),
        "on the shelf again",
    ),
    (
        "undone, and its goods came back as others too",
        replace(IN_ORDER, receipts=(*BACK, replace(BACK[1], sku="t"))),
        "on the shelf again",
    ),
    ("undone, line not sold", replace(IN_ORDER, lines=(ReservedLine("r1", "s", "sold", 2),)), "bought is sold"),
    (
        "asked for and stuck",
        with_checkouts(replace(CANCELLED, step="refund", open_seconds=900.0)),
        "no checkout is stuck",
    ),
    ("an event not taken", with_acts(ActFact("e", "payment.captured", False, None, False)), "are acted on"),
    ("an event without its message", with_acts(ActFact("e", "payment.captured", True, None, False)), "are acted on"),
    ("told and dropped", with_acts(ActFact("e", "payment.captured", True, "opted_out", True)), "are acted on"),
    ("a timeline that lacks", replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),)), "timelines"),
    ("a timeline that is old", replace(IN_ORDER, timelines=(replace(TIMELINE, held=(OLD,)),)), "timelines"),
    ("an entry twice", replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD, ENTRY, ENTRY)),)), "timelines"),
    ("a complaint lost", replace(IN_ORDER, told=(ToldFact("k", 31, ()),)), "complained"),
    ("a complaint twice", replace(IN_ORDER, told=(ToldFact("k", 31, (31, 32)),)), "complained"),
    ("a complaint in another case", replace(IN_ORDER, told=(ToldFact("k", 31, (32,)),)), "complained"),
    ("unclear, and twice", replace(IN_ORDER, told=(ToldFact("k", None, (31, 31)),)), "complained"),
    ("never made, and there", replace(IN_ORDER, told=(ToldFact("k", 0, (31,)),)), "complained"),
    ("one version acknowledged for two", with_preference(PreferenceFact(7, 2, (), 2, "order/email")), "opted out"),
    ("an opt-out lost", with_preference(PreferenceFact(7, 2, ("order/email",), 1, "")), "opted out"),
    ("an opt-out changed", with_preference(PreferenceFact(7, 2, ("order/email",), 2, "")), "opted out"),
    ("an opt-out undone by nobody", with_preference(PreferenceFact(7, 2, ("order/email",), 3, "")), "opted out"),
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
        replace(IN_ORDER, only_ours=False, payments=(*PAYMENTS, replace(PAID, id=12, order_id=99))),
        replace(
            IN_ORDER,
            payments=(
                *PAYMENTS,
                PaymentFact(12, 99, "authorized", NOTHING, NOTHING, NOTHING, NOTHING),
                PaymentFact(16, 98, "refunded", MONEY, MONEY, MONEY, MONEY),
            ),
        ),
        with_parcels(parcel(27, 9, "label_pending", late_seconds=-3600.0), parcel(28, 9, "requested", 599.0)),
        replace(
            with_parcels(replace(parcel(27, 9, "cancelled"), has_work=True)), labels=LABELS | {"ready/27": BYTES}
        ),
        replace(IN_ORDER, lines=(*(IN_ORDER.lines or ()), ReservedLine("r9", "s", "held", 1, overdue_seconds=119.0))),
        replace(IN_ORDER, sums={"s": ()}, steady=frozenset()),
        replace(
            IN_ORDER,
            checkouts=(replace(BOUGHT, age_seconds=9 * 86_400.0),),
            sums={"s": ()},
            lines=(),
        ),
        replace(IN_ORDER, checkouts=None, sums={"s": ()}, lines=(), unknown={Part.CHECKOUTS: "no answer"}),
    ],
    ids=[
        "refunded in part",
        "others use it too",
        "nothing kept for nobody",
        "held on purpose",
        "being called off",
        "about to expire",
        "changed while it was read",
        "older than lines are kept",
        "of unknown age",
    ],
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
        lambda scope: unsent_parcel_of(f"run:{next(numbers)}"),
        lambda text: None,
        settle_seconds=0.05,
        pause_seconds=0.01,
    )
    assert not any(found.broken.values())


def test_it_is_told_how_many_were_judged_and_that_nothing_was_old_enough() -> None:
    found = settled(looks(replace(IN_ORDER, acts=())), lambda text: None)
    judged = {name: (one.count, one.subjects) for name, one in found.judged.items()}
    assert judged["shop: events of the last 1 h are acted on, once"] == (0, "events sent 120 s ago or longer")
    assert judged["shop: each payment is the sum of its events"] == (4, "payments")
    assert judged["shop: what was bought is sent, once"] == (4, "ended checkouts")
    assert set(judged) == set(CLAIMS)


def test_what_a_claim_lets_pass_or_could_not_ask_for_is_said() -> None:
    held = with_parcels(parcel(27, 9, "requested", late_seconds=-60.0), parcel(28, 9, "requested"))
    some = replace(
        held,
        deliveries=(DeliveryFact("payment", 9, 0, 3, ()), DeliveryFact("inventory", 9, 5, 0, ())),
        cases=70,
        seed=6,
        only_ours=False,
        payments=(*PAYMENTS, replace(PAID, id=12, order_id=99)),
    )
    asides = {one.aside for one in settled(looks(some), lambda text: None).judged.values()}
    assert asides == {
        "",
        "1 of them held until later",
        "3 more are of a time that their topic does not keep any more; inventory: 5 more were too many to ask for",
        "of 70; the others by seed 6",
        "1 payments for others' orders",
    }
    assert {claim.aside(IN_ORDER) for claim in CLAIMS.values()} == {""}


def test_what_is_told_of_a_payment_or_parcel_is_looked_at_again_with_all_of_its_order() -> None:
    nobodys = replace(IN_ORDER, payments=(*PAYMENTS, replace(PAID, id=12, order_id=99)))
    asked: list[Scope] = []
    settled(looks(nobodys, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert (asked[1].payments, asked[1].orders) == (frozenset({12}), frozenset({99}))
    assert asked[1].parts == {Part.CHECKOUTS, Part.PAYMENTS}
    asked.clear()
    late = with_parcels(parcel(27, 9, "requested", late_seconds=601.0))
    settled(looks(late, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert asked[1] == Scope(frozenset({Part.PARCELS}), frozenset(), frozenset({9}), frozenset())


def test_what_was_judged_is_counted_at_the_whole_look() -> None:
    later = replace(ShopFacts(), checkouts=(BOUGHT,), parcels=(parcel(21, 1, "shipped"),))
    found = settled(looks(with_parcels(without=21), later), lambda text: None, pause_seconds=0)
    assert found.judged["shop: what was bought is sent, once"].count == 4


def test_a_store_that_is_not_there_is_not_judged() -> None:
    assert {name: claim(ShopFacts()) for name, claim in CLAIMS.items()} == dict.fromkeys(CLAIMS, None)
    assert oversold(ShopFacts()) is None


@pytest.mark.parametrize(
    ("left", "worker", "claim"),
    [
        (with_parcels(parcel(27, 9, "requested", late_seconds=9e5)), Store.SENDING, "no parcel waits"),
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
    assert name not in without.broken and name not in without.judged
    # without any of them no checkout comes to its end either
    assert set(CLAIMS) - set(without.broken) == {name, "shop: no checkout is stuck"}


def test_events_that_an_earlier_stack_left_are_not_judged_where_their_sender_is_no_part_of_this_one() -> None:
    left = replace(
        IN_ORDER,
        outboxes=(OutboxFact("payment", 2, 9e5),),
        totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, 3),),
    )
    claim = CLAIMS["shop: events reach Kafka"]
    assert len(claim(left) or ()) == 2
    assert claim(replace(left, there=left.there - {Store.PAYING})) == ["inventory s after event 3: 6 events unsent"]
    assert claim(replace(left, there=left.there - {Store.PAYING, Store.SHELVING})) is None


def looks(*facts: ShopFacts, asked: list[Scope] | None = None) -> Callable[[Scope], ShopFacts]:
    left = list(facts)

    def look(scope: Scope) -> ShopFacts:
        if asked is not None:
            asked.append(scope)
        return left.pop(0) if len(left) > 1 else left[0]

    return look


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
    assert not any(found.broken.values()) and found.oversold == 0 and len(found.broken) == len(CLAIMS)


AWAY = replace(ShopFacts(), unknown={Part.TIMELINES: "support-service: lacks payment"})
TIMELINES_CLAIM = "shop: timelines are whole, and show nothing old"


def without_timelines(facts: ShopFacts) -> ShopFacts:
    return replace(facts, timelines=None, unknown=AWAY.unknown)


def test_what_could_not_be_read_is_unknown_and_hides_nothing_else() -> None:
    broken = without_timelines(with_payment(captured=Decimal("99.00")))
    found = settled(looks(broken), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.unknown == ("support-service: lacks payment",)
    assert TIMELINES_CLAIM not in found.broken and found.broken["shop: each payment is the sum of its events"]


def test_what_could_not_be_read_for_a_moment_is_read_again_whole_and_judged() -> None:
    asked: list[Scope] = []
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    away = without_timelines(IN_ORDER)
    found = settled(looks(away, IN_ORDER, asked=asked), lambda text: None, pause_seconds=0)
    assert (found.unknown, found.broken) == ((), {name: [] for name in CLAIMS})
    assert asked == [Scope(), Scope(frozenset({Part.TIMELINES}))]
    found = settled(looks(away, old), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.broken[TIMELINES_CLAIM]
    found = settled(looks(old, away, old), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.broken[TIMELINES_CLAIM]


def test_what_can_be_judged_at_the_last_look_only_is_looked_at_once_more() -> None:
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    asked: list[Scope] = []
    found = settled(looks(old, IN_ORDER, asked=asked), lambda text: None, settle_seconds=0, pause_seconds=0)
    assert (len(asked), found.unknown, found.broken[TIMELINES_CLAIM]) == (2, (), [])
    found = settled(looks(old, asked=asked), lambda text: None, settle_seconds=0, pause_seconds=0)
    assert (len(asked), found.unknown) == (4, ()) and found.broken[TIMELINES_CLAIM]


def test_what_does_not_hold_at_the_one_look_that_could_judge_it_is_unknown() -> None:
    wrong = with_payment(captured=Decimal("99.00"))
    old = replace(wrong, timelines=(replace(TIMELINE, shown=(OLD,)),))
    asked: list[Scope] = []
    read = looks(without_timelines(wrong), old, asked=asked)
    found = settled(read, lambda text: None, settle_seconds=0, pause_seconds=0)
    assert len(asked) == 2 and found.broken["shop: each payment is the sum of its events"]
    assert TIMELINES_CLAIM not in found.broken
    assert found.unknown == (f"{TIMELINES_CLAIM}: does not hold at the only look at it",)


def test_what_was_broken_and_then_could_not_be_read_is_neither_broken_nor_whole() -> None:
    old = replace(IN_ORDER, timelines=(replace(TIMELINE, shown=(OLD,)),))
    found = settled(looks(old, AWAY), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert found.unknown and TIMELINES_CLAIM not in found.broken


def test_what_is_broken_for_a_moment_is_not_told_and_what_lasts_is() -> None:
    stuck = with_payment(captured=Decimal("99.00"))
    found = settled(looks(stuck, IN_ORDER), lambda text: None, settle_seconds=30, pause_seconds=0)
    assert not any(found.broken.values())
    found = settled(looks(stuck), lambda text: None, settle_seconds=0.05, pause_seconds=0.01)
    assert [name for name, broken in found.broken.items() if broken] == [
        "shop: each payment is the sum of its events",
        "shop: captured money is shipped, refunded or open, and belongs to one paid order",
    ]
