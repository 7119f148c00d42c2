"""Claims about money: payments add up, captured money belongs to one paid order, nothing stays authorized in vain,
every purchase has its checkout, and no checkout is left half done.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from lakeproof_shop.proof.claims.facts import CheckoutFact, PaymentFact, ShopFacts, Store, Violations
from lakeproof_shop.proof.claims.purchases import UNDONE, bought, ended
from lakeproof_shop.services.checkout.models import ENDS, Step

_STEPS = frozenset(Step)
STUCK_SECONDS = 600.0
# Order status, as acknowledged to the buyer → the steps at which the order's checkout may then be.
_STEPS_OF = {
    "paid": frozenset(step for step in Step if step.is_bought),
    "cancelled": frozenset({Step.FAILED, Step.CANCELLED}),
    "returned": frozenset({Step.RETURNED}),
}

# A checkout that stands still is ended by the sweeper in the order service, which asks the other three.
ENDS_CHECKOUTS = frozenset({Store.ORDERING, Store.PAYING, Store.SENDING, Store.SHELVING})


def money_adds_up(facts: ShopFacts) -> Violations | None:
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


def captured_is_shipped_refunded_or_open(facts: ShopFacts) -> Violations | None:
    """captured = shipped + refunded + open, by order.

    For a paid order its total was captured, once. Of a purchase that was cancelled or returned the total was captured
    and all of it refunded. For every other order nothing is kept. Money for an order that no checkout made is kept
    for nothing, unless others use the shop too.
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
        # Part of what a paid order owes may have been refunded. Where nothing is owed any more, nothing may be kept.
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


def _by_order(payments: Iterable[PaymentFact]) -> defaultdict[int, list[PaymentFact]]:
    found: defaultdict[int, list[PaymentFact]] = defaultdict(list)
    for payment in payments:
        found[payment.order_id].append(payment)
    return found


def _nobodys(facts: ShopFacts) -> list[PaymentFact]:
    """Payments with money for orders that no checkout made."""
    orders = {one.order_id for one in facts.checkouts or ()}
    return [one for one in facts.payments or () if one.kept != 0 and one.order_id not in orders]


def failed(facts: ShopFacts) -> list[CheckoutFact]:
    """Checkouts that ended without a purchase."""
    return [one for one in facts.checkouts or () if one.step == Step.FAILED]


def nothing_stays_authorized_for_a_failure(facts: ShopFacts) -> Violations | None:
    """The bank has let go what it set aside for a checkout that failed: the payment is there, and is not authorized
    any more.

    This concerns the checkout's own payment and, where nobody else uses the shop, every payment for its order.
    """
    if facts.payments is None or facts.checkouts is None:
        return None
    payments = _by_order(facts.payments)
    broken = []
    for one in failed(facts):
        if one.order_id is None:
            continue
        of_order = payments[one.order_id]
        broken += [
            f"checkout {one.key}: failed, and payment {payment.id} for its order {one.order_id} is still authorized"
            for payment in of_order
            if payment.status == "authorized" and (facts.only_ours or payment.id == one.payment_id)
        ]
        if one.payment_id is not None and one.payment_id not in {payment.id for payment in of_order}:
            broken.append(f"checkout {one.key}: failed, and its payment {one.payment_id} is gone")
    return broken


def others_in_words(facts: ShopFacts) -> str:
    """How many payments are for others' orders, where others use the shop too; "" for none."""
    others = 0 if facts.only_ours else len(_nobodys(facts))
    return f"{others} payments for others' orders" if others else ""


def purchases_have_their_checkout(facts: ShopFacts) -> Violations | None:
    """Every order of a checkout that was acknowledged to a buyer has that checkout, at a step that fits the order.

    The other claims begin at the checkouts that exist, and say nothing about one that is gone.
    """
    if facts.purchases is None or facts.checkouts is None:
        return None
    there = {one.key: one for one in facts.checkouts}
    broken = []
    for one in facts.purchases:
        found = there.get(one.checkout)
        if found is None:
            broken.append(f"checkout {one.checkout}: gone; order {one.order_id} was acknowledged")
        elif one.order_id not in (None, found.order_id):
            broken.append(
                f"checkout {one.checkout}: has order {found.order_id}; order {one.order_id} was acknowledged"
            )
        elif one.status in _STEPS_OF and found.step not in _STEPS_OF[one.status]:
            broken.append(f"checkout {one.checkout}: at the step {found.step!r}; its order was told as {one.status}")
    return broken


def checkouts_make_sense(facts: ShopFacts) -> Violations | None:
    """Every checkout is at a step that there is, and its request names what was asked for.

    Other claims may say nothing about a checkout that does not make sense: nobody knows whether it has ended, or what
    was bought.
    """
    if facts.checkouts is None:
        return None
    return [
        f"checkout {one.key}: at the step {one.step!r}, with {len(one.items)} items asked for"
        for one in facts.checkouts
        if one.step not in _STEPS or not one.items
    ]


def no_checkout_is_stuck(facts: ShopFacts) -> Violations | None:
    """No checkout is under way for longer than the sweeper needs.

    Not judged where the sweeper's service, or one that the sweeper asks, is not part of the stack: what an earlier
    stack left open then stays open.
    """
    if facts.checkouts is None or not facts.there >= ENDS_CHECKOUTS:
        return None
    return [
        f"checkout {one.key}: at {one.step} for {one.open_seconds:.0f} s"
        for one in facts.checkouts
        if one.step not in ENDS and one.open_seconds > STUCK_SECONDS
    ]
