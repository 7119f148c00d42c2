"""Does stock add up? received − sold − reserved = on hand ≥ 0, in every SKU, also line by line.

The sweeper asks this in every sweep, and so does the integrity check, which reads with an account of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SkuTotals:
    """One SKU's totals: units, but for `active` (held lines), `events` (written) and `sent` (events in Kafka)."""

    sku: str
    version: int
    received: int
    sold: int
    reserved: int
    active: int
    events: int
    sent: int

    @property
    def on_hand(self) -> int:
        """What may still be sold."""
        return self.received - self.sold - self.reserved

    @property
    def oversold(self) -> int:
        """Units that were promised and are not there."""
        return max(0, -self.on_hand)


@dataclass(frozen=True, slots=True)
class LineSum:
    """What the lines of one SKU in one state add up to."""

    state: str
    lines: int
    units: int


def violations(totals: Iterable[SkuTotals]) -> list[SkuTotals]:
    """SKUs with impossible totals: a negative one, more sold and reserved than came in, or more sent than written."""
    return [
        one
        for one in totals
        if min(one.received, one.sold, one.reserved, one.active, one.on_hand) < 0 or one.sent > one.events
    ]


def disagreements(totals: SkuTotals, sums: Sequence[LineSum], *, may_have_lapsed: bool = False) -> list[str]:
    """Where the lines of a SKU do not add up to its totals, in words; empty where they do.

    may_have_lapsed: ended lines and receipts may have been deleted by their TTL (statements.KEPT_SECONDS). They may
    then add up to less than the totals, never to more. Held lines have no TTL and must all be there.
    """
    by_state = {each.state: each for each in sums}
    wanted = {"received": totals.received, "sold": totals.sold, "held": totals.reserved}
    found = {state: by_state[state].units if state in by_state else 0 for state in wanted}
    wrong = [
        f"{totals.sku}: {found[state]} units in lines that are {state}, {units} in its totals"
        for state, units in wanted.items()
        if found[state] > units or (found[state] < units and not (may_have_lapsed and state != "held"))
    ]
    held = by_state["held"].lines if "held" in by_state else 0
    if held != totals.active:
        wrong.append(f"{totals.sku}: {held} lines are held, {totals.active} by its totals")
    return wrong
