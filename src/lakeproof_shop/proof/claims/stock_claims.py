"""Claims about stock: it adds up, purchases are sold, nothing is held for ever, what came back is on the shelf."""

from collections import defaultdict

from lakeproof_shop.proof.claims.facts import CheckoutFact, ReservedLine, ShopFacts, Store, Violations
from lakeproof_shop.proof.claims.purchases import UNDONE, bought, ended
from lakeproof_shop.services.checkout.models import restock_key
from lakeproof_shop.services.inventory.audit import disagreements, violations
from lakeproof_shop.services.inventory.models import State, receipt_id
from lakeproof_shop.services.inventory.statements import KEPT_SECONDS

# How long inventory keeps a line that has ended (inventory/statements.py), less a day: reading takes time.
LINES_KEPT_SECONDS = KEPT_SECONDS - 86_400
# Inventory sweeps every 2 s and reads anew what is due every 30 s; its service may be starting meanwhile.
HELD_ON_SECONDS = 120.0


def stock_adds_up(facts: ShopFacts) -> Violations | None:
    """received − sold − reserved = on hand ≥ 0, and the lines of each SKU add up to its totals.

    Inventory drops ended lines after a while. So the lines of a SKU may be fewer than its totals, unless the SKU is
    young.
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


def moving_skus(facts: ShopFacts) -> int:
    """How many SKUs changed at each look, so that their lines cannot be compared with their totals."""
    return sum(one.sku not in facts.steady for one in facts.totals or ())


def with_lines(facts: ShopFacts) -> list[CheckoutFact]:
    """Ended checkouts whose lines inventory must still have. A purchase without a reservation is judged too, since it
    lost its reservation; a checkout that failed may have failed before it got one.
    """
    return [
        one
        for one in ended(facts.checkouts)
        if one.age_seconds <= LINES_KEPT_SECONDS and (one.reservation_id is not None or _were_sold(one))
    ]


def _were_sold(one: CheckoutFact) -> bool:
    """True of a purchase, also of one that was cancelled or returned since."""
    return bought(one) or one.step in UNDONE


def bought_is_sold(facts: ShopFacts) -> Violations | None:
    """The goods of every purchase are sold, each line with just its units; those of a checkout that failed are not
    held, and not sold either unless they came in again.

    The goods of a purchase that was cancelled or returned were sold too, and came in again: see
    what_came_back_is_received_once.
    """
    if facts.lines is None or facts.checkouts is None:
        return None
    lines: defaultdict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for line in facts.lines:
        lines[line.reservation_id].append((line.sku, line.quantity, line.state))
    broken = []
    for one in with_lines(facts):
        found = sorted(lines[one.reservation_id or ""])
        wanted = sorted((sku, units, State.SOLD.value) for sku, units in one.items)
        if _were_sold(one):
            is_broken, expected = found != wanted, _in_words(wanted)
        else:
            lasting = {State.HELD} if one.back else {State.HELD, State.SOLD}
            is_broken = any(state in lasting for _, _, state in found)
            expected = "nothing held" if one.back else "nothing held or sold"
        if is_broken:
            broken.append(
                f"checkout {one.key}: {one.step}, reservation {one.reservation_id} is {_in_words(found)},"
                f" wanted {expected}"
            )
    return broken


def _in_words(lines: list[tuple[str, int, str]]) -> str:
    return ", ".join(f"{units} x {sku} {state}" for sku, units, state in lines) or "gone"


def held_lines(facts: ShopFacts) -> list[ReservedLine]:
    """Lines that are reserved and have not ended."""
    return [one for one in facts.lines or () if one.state == State.HELD]


def nothing_is_held_past_its_time(facts: ShopFacts) -> Violations | None:
    """A reserved line is ended within one sweep after its time, so that its goods can be sold again.

    Not judged where the inventory service, which sweeps, is not part of the stack: nobody ends lines of an earlier
    one.
    """
    if facts.lines is None or Store.SHELVING not in facts.there:
        return None
    return [
        f"line {one.reservation_id}/{one.sku}: {one.quantity} units held for {one.overdue_seconds:.0f} s too long"
        for one in held_lines(facts)
        if one.overdue_seconds > HELD_ON_SECONDS
    ]


def with_receipts(facts: ShopFacts) -> list[CheckoutFact]:
    """Ended checkouts whose receipts inventory must still have."""
    return [one for one in ended(facts.checkouts) if one.open_seconds <= LINES_KEPT_SECONDS]


def what_came_back_is_received_once(facts: ShopFacts) -> Violations | None:
    """Each line that was cancelled, returned or sold in vain has one receipt, of just its units. No other line has
    one.
    """
    if facts.receipts is None or facts.checkouts is None:
        return None
    received: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for receipt in facts.receipts:
        received[receipt.id].append((receipt.sku, receipt.quantity))
    broken = []
    for one in with_receipts(facts):
        ids = [str(receipt_id(restock_key(one.key, line))) for line in range(len(one.items))]
        found = [(line, came) for line, id_ in enumerate(ids) for came in received.get(id_, ())]
        wanted = list(enumerate(one.back))
        if found != wanted:
            broken.append(f"checkout {one.key}: {one.step}, came back (by line) {found}, wanted {wanted}")
    return broken


def oversold(facts: ShopFacts) -> int | None:
    """Units that were sold or promised beyond what came in; None where there is no stock to look at."""
    return None if facts.totals is None else sum(one.oversold for one in facts.totals)
