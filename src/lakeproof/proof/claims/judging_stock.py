"""Claims about stock: it adds up, what was bought is sold, nothing is held for ever, what came back is there."""

from collections import defaultdict

from lakeproof.proof.claims.facts import Broken, CheckoutFact, ReservedLine, ShopFacts, Store
from lakeproof.proof.claims.purchases import UNDONE, bought, ended
from lakeproof.shop.checkout.models import restock_key
from lakeproof.shop.inventory.audit import disagreements, violations
from lakeproof.shop.inventory.models import State, receipt_id
from lakeproof.shop.inventory.statements import KEPT_SECONDS

# Inventory keeps ended lines for so long (inventory/statements.py), a day less for what is read meanwhile.
LINES_KEPT_SECONDS = KEPT_SECONDS - 86_400
# A sweep every 2 s, all that is due read anew every 30 s, and a service that starts meanwhile.
HELD_ON_SECONDS = 120.0


def stock_adds_up(facts: ShopFacts) -> Broken | None:
    """received − sold − reserved = on hand ≥ 0, and the lines of each SKU add up to its totals.

    Of a SKU that nothing proves to be young, what has ended may be gone: its lines may be fewer than its totals.
    """
    if facts.totals is None or facts.sums is None:
        return None
    sums = facts.sums
    impossible = [f"{one.sku}: {one.on_hand} on hand" for one in violations(facts.totals)]
    steady = [one for one in facts.totals if one.sku in facts.steady]
    return impossible + [
        word
        for one in steady
        for word in disagreements(one, sums.get(one.sku, ()), may_have_lapsed=one.sku not in facts.young)
    ]


def with_lines(facts: ShopFacts) -> list[CheckoutFact]:
    """Those whose lines inventory must still have."""
    return [
        one
        for one in ended(facts.checkouts)
        if one.reservation_id is not None and one.age_seconds <= LINES_KEPT_SECONDS
    ]


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
    for one in with_lines(facts):
        found = states[one.reservation_id or ""]
        if (found != {"sold"}) if bought(one) or one.step in UNDONE else ("held" in found):
            broken.append(
                f"checkout {one.key}: reservation {one.reservation_id} is {', '.join(sorted(found)) or 'gone'}"
            )
    return broken


def held_lines(facts: ShopFacts) -> list[ReservedLine]:
    """Lines that are reserved and have not ended."""
    return [one for one in facts.lines or () if one.state == State.HELD]


def nothing_is_held_past_its_time(facts: ShopFacts) -> Broken | None:
    """A reserved line is ended within a sweep after its time, and its goods can be sold again.

    Not judged where who sweeps is no part of the stack: lines of an earlier one.
    """
    if facts.lines is None or Store.SHELVING not in facts.there:
        return None
    return [
        f"line {one.reservation_id}/{one.sku}: {one.quantity} units held for {one.overdue_seconds:.0f} s too long"
        for one in held_lines(facts)
        if one.overdue_seconds > HELD_ON_SECONDS
    ]


def with_receipts(facts: ShopFacts) -> list[CheckoutFact]:
    """Those whose receipts inventory must still have."""
    return [one for one in ended(facts.checkouts) if one.open_seconds <= LINES_KEPT_SECONDS]


def what_came_back_is_received_once(facts: ShopFacts) -> Broken | None:
    """Each line that was cancelled, returned, or sold in vain has one receipt of just its units; no other has one."""
    if facts.receipts is None or facts.checkouts is None:
        return None
    received: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for receipt in facts.receipts:
        received[receipt.id].append((receipt.sku, receipt.quantity))
    broken = []
    for one in with_receipts(facts):
        ids = [str(receipt_id(restock_key(one.key, line))) for line in range(max(one.lines, len(one.back)))]
        found = [(line, came) for line, id_ in enumerate(ids) for came in received.get(id_, ())]
        wanted = list(enumerate(one.back))
        if found != wanted:
            broken.append(f"checkout {one.key}: {one.step}, came back (by line) {found}, wanted {wanted}")
    return broken


def oversold(facts: ShopFacts) -> int | None:
    """Units that were sold or promised beyond what came in; None where there is no stock to look at."""
    return None if facts.totals is None else sum(one.oversold for one in facts.totals)
