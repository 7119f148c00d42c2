"""The claims, each a pure function of the facts: name and the keys that break it. None: a store is not there.

A checkout that is under way breaks nothing yet. What breaks a claim only for a moment, since the stores are read one
after the other, is gone at the next look (looking.py).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from lakeproof.shop.checkout.models import Step, restock_key
from lakeproof.shop.claims.facts import (
    Broken,
    CheckoutFact,
    Part,
    PaymentFact,
    PreferenceFact,
    ReservedLine,
    ShopFacts,
    Store,
)
from lakeproof.shop.claims.judging_events import (
    ACT_SECONDS,
    ACTS_WITHIN_SECONDS,
    events_are_acted_on_once,
    events_are_sent,
    not_asked_in_words,
    sent_events_are_in_kafka,
)
from lakeproof.shop.claims.judging_parcels import (
    SHIPPED_WITHIN_SECONDS,
    bought_is_sent_once,
    held_in_words,
    labels_are_there,
    status_is_the_newest_event,
    waiting,
    waits_are_limited,
    with_labels,
)
from lakeproof.shop.claims.purchases import UNDONE, bought, ended, ended_count
from lakeproof.shop.inventory.audit import disagreements, violations
from lakeproof.shop.inventory.models import State, receipt_id
from lakeproof.shop.inventory.statements import KEPT_SECONDS

STUCK_SECONDS = 600.0
# Inventory keeps ended lines for so long (inventory/statements.py), a day less for what is read meanwhile.
LINES_KEPT_SECONDS = KEPT_SECONDS - 86_400
# A sweep every 2 s, all that is due read anew every 30 s, and a service that starts meanwhile.
HELD_ON_SECONDS = 120.0
NEWEST_TIMELINES, OTHER_TIMELINES = 10, 40


# The sweeper's own service, and whom it asks to go on or to give back.
ENDS_CHECKOUTS = frozenset({Store.ORDERING, Store.PAYING, Store.SENDING, Store.SHELVING})


@dataclass(frozen=True)
class Claim:
    """`judge` is pure; `needs`: what it looks at. `count`: how many `subjects` of the facts it judges.

    aside: in words, which of them it lets pass, and what it could not judge; "" for nothing.
    """

    judge: Callable[[ShopFacts], Broken | None]
    needs: frozenset[Part]
    subjects: str
    count: Callable[[ShopFacts], int]
    aside: Callable[[ShopFacts], str] = lambda facts: ""

    def __call__(self, facts: ShopFacts) -> Broken | None:
        """What breaks it; None: its stores are not there, or could not be read."""
        return self.judge(facts) if self.is_judged_by(facts) else None

    def is_judged_by(self, facts: ShopFacts) -> bool:
        """False where something that it needs could not be read."""
        return not self.needs & facts.unknown.keys()


def _by_order(payments: Iterable[PaymentFact]) -> defaultdict[int, list[PaymentFact]]:
    found: defaultdict[int, list[PaymentFact]] = defaultdict(list)
    for payment in payments:
        found[payment.order_id].append(payment)
    return found


def _with_lines(facts: ShopFacts) -> list[CheckoutFact]:
    """Those whose lines inventory must still have."""
    return [
        one
        for one in ended(facts.checkouts)
        if one.reservation_id is not None and one.age_seconds <= LINES_KEPT_SECONDS
    ]


def _with_receipts(facts: ShopFacts) -> list[CheckoutFact]:
    """Those whose receipts inventory must still have."""
    return [one for one in ended(facts.checkouts) if one.open_seconds <= LINES_KEPT_SECONDS]


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
    """captured = shipped + refunded + open, by order: what is kept is for a paid order of just that total, once;
    of one that was cancelled or returned its total was taken, and all of it given back.

    And money kept for an order that no checkout made is kept for nothing, but where others use the shop too.
    """
    if facts.payments is None or facts.checkouts is None:
        return None
    payments = _by_order(facts.payments)
    broken = []
    for one in ended(facts.checkouts):
        if one.order_id is None:
            continue
        captured = sum((payment.captured for payment in payments[one.order_id]), Decimal("0.00"))
        kept = sum((payment.kept for payment in payments[one.order_id]), Decimal("0.00"))
        is_owed = one.order_status == "paid" and bought(one)
        is_undone = one.step in UNDONE
        # A refund gives back of what was owed; of what was not, or is not any more, nothing may be kept.
        wrong_sum = captured != one.order_total and (is_owed or is_undone)
        if wrong_sum or (kept != 0 and not is_owed) or (is_undone and one.order_status != one.step):
            broken.append(
                f"checkout {one.key}: order {one.order_id} {one.order_status}, total {one.order_total},"
                f" captured {captured}, kept {kept}"
            )
    if facts.only_ours:
        broken += [
            f"payment {one.id}: {one.kept} kept for order {one.order_id}, which no checkout made"
            for one in _nobodys(facts)
        ]
    return broken


def _nobodys(facts: ShopFacts) -> list[PaymentFact]:
    """Payments with money for orders that no checkout made."""
    orders = {one.order_id for one in facts.checkouts or ()}
    return [one for one in facts.payments or () if one.kept != 0 and one.order_id not in orders]


def _others_in_words(facts: ShopFacts) -> str:
    others = 0 if facts.only_ours else len(_nobodys(facts))
    return f"{others} payments for others' orders" if others else ""


def no_checkout_is_stuck(facts: ShopFacts) -> Broken | None:
    """No checkout is under way for longer than the sweeper needs.

    Not judged where one of those whom the sweeper asks is no part of the stack: what an earlier stack left open.
    """
    if facts.checkouts is None or not facts.there >= ENDS_CHECKOUTS:
        return None
    return [
        f"checkout {one.key}: at {one.step} for {one.open_seconds:.0f} s"
        for one in facts.checkouts
        if not Step(one.step).is_end and one.open_seconds > STUCK_SECONDS
    ]


def stock_adds_up(facts: ShopFacts) -> Broken | None:
    """received − sold − reserved = on hand ≥ 0, and the lines of each SKU add up to its totals.

    Lines are only compared in a shop that is known to be so young that none of them has expired.
    """
    if facts.totals is None or facts.sums is None:
        return None
    sums = facts.sums
    impossible = [f"{one.sku}: {one.on_hand} on hand" for one in violations(facts.totals)]
    if Part.CHECKOUTS in facts.unknown:
        return impossible
    if max((one.age_seconds for one in facts.checkouts or ()), default=0.0) > LINES_KEPT_SECONDS:
        return impossible
    steady = [one for one in facts.totals if one.sku in facts.steady]
    return impossible + [word for one in steady for word in disagreements(one, sums.get(one.sku, ()))]


def bought_is_sold(facts: ShopFacts) -> Broken | None:
    """The goods of every checkout that was bought are sold, those of one that failed are not held.

    What is cancelled or returned was sold all the same: its goods came in again (what_came_back_is_received_once).
    """
    if facts.lines is None or facts.checkouts is None:
        return None
    states: defaultdict[str, set[str]] = defaultdict(set)
    for line in facts.lines:
        states[line.reservation_id].add(line.state)
    broken = []
    for one in _with_lines(facts):
        found = states[one.reservation_id or ""]
        if (found != {"sold"}) if bought(one) or one.step in UNDONE else ("held" in found):
            broken.append(
                f"checkout {one.key}: reservation {one.reservation_id} is {', '.join(sorted(found)) or 'gone'}"
            )
    return broken


def _held(facts: ShopFacts) -> list[ReservedLine]:
    return [one for one in facts.lines or () if one.state == State.HELD]


def nothing_is_held_past_its_time(facts: ShopFacts) -> Broken | None:
    """A reserved line is ended within a sweep after its time, and its goods can be sold again.

    Not judged where who sweeps is no part of the stack: lines of an earlier one.
    """
    if facts.lines is None or Store.SHELVING not in facts.there:
        return None
    return [
        f"line {one.reservation_id}/{one.sku}: {one.quantity} units held for {one.overdue_seconds:.0f} s too long"
        for one in _held(facts)
        if one.overdue_seconds > HELD_ON_SECONDS
    ]


def what_came_back_is_received_once(facts: ShopFacts) -> Broken | None:
    """Each line that was cancelled, returned, or sold in vain has one receipt of just its units; no other has one."""
    if facts.receipts is None or facts.checkouts is None:
        return None
    received: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for receipt in facts.receipts:
        received[receipt.id].append((receipt.sku, receipt.quantity))
    broken = []
    for one in _with_receipts(facts):
        ids = [str(receipt_id(restock_key(one.key, line))) for line in range(max(one.lines, len(one.back)))]
        found = [(line, came) for line, id_ in enumerate(ids) for came in received.get(id_, ())]
        wanted = list(enumerate(one.back))
        if found != wanted:
            broken.append(f"checkout {one.key}: {one.step}, came back (by line) {found}, wanted {wanted}")
    return broken


def timelines_are_whole(facts: ShopFacts) -> Broken | None:
    """What support shows of an order is what the stores of order, payment and fulfillment hold, no more, no less."""
    if facts.timelines is None:
        return None
    broken = []
    for one in facts.timelines:
        shown, held = Counter(one.shown), Counter(one.held)
        if shown != held:
            lacks = ", ".join(f"{entry[2]} {entry[3]}" for entry in held - shown)
            old = ", ".join(f"{entry[2]} {entry[3]}" for entry in shown - held)
            broken.append(
                f"case {one.case_id}: order {one.order_id}: lacks {lacks or 'nothing'};"
                f" shows {old or 'nothing'} that is not so"
            )
    return broken


def complaints_are_kept_once(facts: ShopFacts) -> Broken | None:
    """An acknowledged complaint, or attachment, is in the acknowledged case, once; one that is known not to have been
    made in none; an unclear one in at most one.
    """
    if facts.told is None:
        return None
    return [
        f"contact {one.key}: acknowledged as case {one.ref or '-'}, found in {list(one.cases)}"
        for one in facts.told
        if (len(one.cases) > 1 if one.ref is None else one.cases != ((one.ref,) if one.ref else ()))
    ]


def preferences_are_kept(facts: ShopFacts) -> Broken | None:
    """What a customer does not want is what they last said; a newer version only by a call without a clear word."""
    if facts.preferences is None:
        return None
    return [
        f"customer {one.customer_id}: said {' or '.join(said or 'nothing' for said in one.acked) or 'two things'}"
        f" (version {one.acked_version}), kept {one.kept or 'nothing'} (version {one.version})"
        for one in facts.preferences
        if not is_kept(one)
    ]


def is_kept(one: PreferenceFact) -> bool:
    """True where a customer's preferences are in a state that they may be in."""
    if one.version == one.acked_version:
        return one.kept in one.acked
    return one.version > one.acked_version and one.kept in one.open


def _cases_in_words(facts: ShopFacts) -> str:
    return f"of {facts.cases}; the others by seed {facts.seed}" if facts.cases > len(facts.timelines or ()) else ""


def oversold(facts: ShopFacts) -> int | None:
    """Units that were sold or promised beyond what came in; None where there is no stock to look at."""
    return None if facts.totals is None else sum(one.oversold for one in facts.totals)


# By its name: the judge, what it reads, and what it counts as judged.
CLAIMS: dict[str, Claim] = {
    "shop: each payment is the sum of its events": Claim(
        money_adds_up, frozenset({Part.PAYMENTS}), "payments", lambda facts: len(facts.payments or ())
    ),
    "shop: captured money is shipped, refunded or open, and belongs to one paid order": Claim(
        captured_is_shipped_refunded_or_open,
        frozenset({Part.CHECKOUTS, Part.PAYMENTS}),
        "ended checkouts and payments",
        lambda facts: ended_count(facts) + len(facts.payments or ()),
        _others_in_words,
    ),
    "shop: what was bought is sent, once": Claim(
        bought_is_sent_once, frozenset({Part.CHECKOUTS, Part.PARCELS}), "ended checkouts", ended_count
    ),
    f"shop: no parcel waits for over {SHIPPED_WITHIN_SECONDS / 60:g} min past its hold": Claim(
        waits_are_limited,
        frozenset({Part.PARCELS}),
        "parcels to be shipped",
        lambda facts: len(waiting(facts)),
        held_in_words,
    ),
    "shop: a parcel is where its newest event says": Claim(
        status_is_the_newest_event, frozenset({Part.PARCELS}), "parcels", lambda facts: len(facts.parcels or ())
    ),
    "shop: what is shipped has its label, what was cancelled has none": Claim(
        labels_are_there,
        frozenset({Part.PARCELS, Part.LABELS}),
        "parcels that are ready, shipped, returned or cancelled",
        lambda facts: len(with_labels(facts)),
    ),
    "shop: no checkout is stuck": Claim(
        no_checkout_is_stuck, frozenset({Part.CHECKOUTS}), "checkouts", lambda facts: len(facts.checkouts or ())
    ),
    "shop: received - sold - reserved = on hand, never below zero": Claim(
        stock_adds_up, frozenset({Part.STOCK}), "SKUs", lambda facts: len(facts.totals or ())
    ),
    "shop: what was bought is sold, what failed holds nothing": Claim(
        bought_is_sold,
        frozenset({Part.CHECKOUTS, Part.STOCK}),
        "ended checkouts of the time that inventory keeps lines",
        lambda facts: len(_with_lines(facts)),
    ),
    "shop: nothing is held past its time": Claim(
        nothing_is_held_past_its_time, frozenset({Part.STOCK}), "held lines", lambda facts: len(_held(facts))
    ),
    "shop: what was cancelled or returned is on the shelf again, once": Claim(
        what_came_back_is_received_once,
        frozenset({Part.CHECKOUTS, Part.STOCK}),
        "ended checkouts of the time that inventory keeps lines",
        lambda facts: len(_with_receipts(facts)),
    ),
    "shop: events reach Kafka": Claim(
        events_are_sent,
        frozenset({Part.OUTBOXES, Part.STOCK}),
        "outboxes and SKUs",
        lambda facts: len(facts.outboxes or ()) + len(facts.totals or ()),
    ),
    "shop: events that count as sent are in Kafka's topics": Claim(
        sent_events_are_in_kafka,
        frozenset({Part.DELIVERIES}),
        "events that are marked as sent",
        lambda facts: sum(one.asked for one in facts.deliveries or ()),
        not_asked_in_words,
    ),
    f"shop: events of the last {ACTS_WITHIN_SECONDS / 3600:g} h are acted on, once": Claim(
        events_are_acted_on_once,
        frozenset({Part.ACTS}),
        f"events sent {ACT_SECONDS:g} s ago or longer",
        lambda facts: len(facts.acts or ()),
    ),
    "shop: timelines are whole, and show nothing old": Claim(
        timelines_are_whole,
        frozenset({Part.TIMELINES}),
        "cases that have an order",
        lambda facts: len(facts.timelines or ()),
        _cases_in_words,
    ),
    "shop: who complained has one case with it": Claim(
        complaints_are_kept_once,
        frozenset({Part.CONTACTS}),
        "complaints and attachments",
        lambda facts: len(facts.told or ()),
    ),
    "shop: who opted out stays opted out": Claim(
        preferences_are_kept,
        frozenset({Part.CONTACTS}),
        "customers who told preferences",
        lambda facts: len(facts.preferences or ()),
    ),
}
