"""The claims, each a pure function of the facts: name and the keys that break it. None: a store is not there.

A checkout that is under way breaks nothing yet. What breaks a claim only for a moment, since the stores are read one
after the other, is gone at the next look (looking.py).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal

from lakeproof.shop.checkout.models import Step
from lakeproof.shop.claims.facts import CheckoutFact, ParcelFact, PaymentFact, ShopFacts
from lakeproof.shop.inventory.audit import disagreements, violations
from lakeproof.shop.inventory.statements import KEPT_SECONDS

STUCK_SECONDS = 600.0
# Inventory keeps ended lines for so long (inventory/statements.py), a day less for what is read meanwhile.
LINES_KEPT_SECONDS = KEPT_SECONDS - 86_400
UNSENT_SECONDS = 60.0

type Broken = list[str]
type Claim = Callable[[ShopFacts], Broken | None]


def money_adds_up(facts: ShopFacts) -> Broken | None:
    """Every payment's captured and refunded money is the sum of its events, and never more refunded than captured."""
    if facts.payments is None:
        return None
    return [
        f"payment {one.id}: captured {one.captured} (events {one.captured_by_events}),"
        f" refunded {one.refunded} (events {one.refunded_by_events})"
        for one in facts.payments
        if (one.captured, one.refunded) != (one.captured_by_events, one.refunded_by_events)
        or one.refunded > one.captured
    ]


def captured_is_shipped_refunded_or_open(facts: ShopFacts) -> Broken | None:
    """Money that the shop keeps of a checkout's order is for a paid order of just that total, once."""
    if facts.payments is None or facts.checkouts is None:
        return None
    payments = _by_order(facts.payments)
    broken = []
    for one in _ended(facts.checkouts):
        if one.order_id is None:
            continue
        captured = sum((payment.captured for payment in payments[one.order_id]), Decimal("0.00"))
        kept = sum((payment.kept for payment in payments[one.order_id]), Decimal("0.00"))
        is_owed = one.order_status == "paid" and _bought(one)
        # A refund gives back of what was owed; of what was not, nothing may be kept.
        if (captured != one.order_total) if is_owed else (kept != 0):
            broken.append(
                f"checkout {one.key}: order {one.order_id} {one.order_status}, total {one.order_total},"
                f" captured {captured}, kept {kept}"
            )
    return broken


def bought_is_sent_once(facts: ShopFacts) -> Broken | None:
    """Every checkout that was bought has one parcel, and no other has one that is under way or shipped."""
    if facts.parcels is None or facts.checkouts is None:
        return None
    parcels: defaultdict[int, list[ParcelFact]] = defaultdict(list)
    for parcel in facts.parcels:
        if parcel.status != "cancelled":
            parcels[parcel.order_id].append(parcel)
    broken = []
    for one in _ended(facts.checkouts):
        wanted = 1 if _bought(one) and one.order_status == "paid" else 0
        found = len(parcels[one.order_id]) if one.order_id is not None else 0
        if found != wanted:
            broken.append(f"checkout {one.key}: order {one.order_id}, {found} parcels, wanted {wanted}")
    return broken


def no_checkout_is_stuck(facts: ShopFacts) -> Broken | None:
    """No checkout is under way for longer than the sweeper needs."""
    if facts.checkouts is None:
        return None
    return [
        f"checkout {one.key}: at {one.step} for {one.age_seconds:.0f} s"
        for one in facts.checkouts
        if not Step(one.step).is_end and one.age_seconds > STUCK_SECONDS
    ]


def stock_adds_up(facts: ShopFacts) -> Broken | None:
    """received − sold − reserved = on hand ≥ 0, and the lines of each SKU add up to its totals.

    Lines are only compared in a shop so young that none of them has expired.
    """
    if facts.totals is None or facts.sums is None:
        return None
    sums = facts.sums
    impossible = [f"{one.sku}: {one.on_hand} on hand" for one in violations(facts.totals)]
    if max((one.age_seconds for one in facts.checkouts or ()), default=0.0) > LINES_KEPT_SECONDS:
        return impossible
    steady = [one for one in facts.totals if one.sku in facts.steady]
    return impossible + [word for one in steady for word in disagreements(one, sums.get(one.sku, ()))]


def bought_is_sold(facts: ShopFacts) -> Broken | None:
    """The goods of every checkout that was bought are sold, those of one that failed are not held."""
    if facts.lines is None or facts.checkouts is None:
        return None
    states: defaultdict[str, set[str]] = defaultdict(set)
    for line in facts.lines:
        states[line.reservation_id].add(line.state)
    broken = []
    for one in _ended(facts.checkouts):
        if one.reservation_id is None or one.age_seconds > LINES_KEPT_SECONDS:
            continue
        found = states[one.reservation_id]
        if (found != {"sold"}) if _bought(one) else ("held" in found):
            broken.append(
                f"checkout {one.key}: reservation {one.reservation_id} is {', '.join(sorted(found)) or 'gone'}"
            )
    return broken


def events_are_sent(facts: ShopFacts) -> Broken | None:
    """No event waits for Kafka for longer than a relay needs.

    Inventory's have no age: a SKU is told where its relay stands at one place at every look.
    """
    if facts.outboxes is None and facts.totals is None:
        return None
    standing = [
        f"inventory {one.sku} after event {one.sent}: {one.events - one.sent} events unsent"
        for one in facts.totals or ()
        if one.events > one.sent
    ]
    return standing + [
        f"{one.service}: {one.unsent} events unsent, the oldest for {one.oldest_unsent_seconds:.0f} s"
        for one in facts.outboxes or ()
        if one.unsent and one.oldest_unsent_seconds > UNSENT_SECONDS
    ]


def oversold(facts: ShopFacts) -> int | None:
    """Units that were sold or promised beyond what came in; None where there is no stock to look at."""
    return None if facts.totals is None else sum(one.oversold for one in facts.totals)


CLAIMS: dict[str, Claim] = {
    "shop: each payment is the sum of its events": money_adds_up,
    "shop: captured money is shipped, refunded or open, and belongs to one paid order": (
        captured_is_shipped_refunded_or_open
    ),
    "shop: what was bought is sent, once": bought_is_sent_once,
    "shop: no checkout is stuck": no_checkout_is_stuck,
    "shop: received - sold - reserved = on hand, never below zero": stock_adds_up,
    "shop: what was bought is sold, what failed holds nothing": bought_is_sold,
    "shop: events reach Kafka": events_are_sent,
}


def _bought(one: CheckoutFact) -> bool:
    return Step(one.step).is_bought


def _ended(checkouts: Iterable[CheckoutFact]) -> Iterable[CheckoutFact]:
    return (one for one in checkouts if Step(one.step).is_end)


def _by_order(payments: Iterable[PaymentFact]) -> defaultdict[int, list[PaymentFact]]:
    found: defaultdict[int, list[PaymentFact]] = defaultdict(list)
    for payment in payments:
        found[payment.order_id].append(payment)
    return found
