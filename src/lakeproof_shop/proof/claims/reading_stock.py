"""Facts about stock, for the claims in stock_claims.py: each SKU's totals, and the lines that must add up to them.

A SKU that changed while its lines were read cannot be compared with them. Such SKUs are read again, a few at a time:
that takes milliseconds, in which even a SKU that is bought often may well stay the same.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from lakeproof.proof.tables.dialects import literal
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import Receipt, ReservedLine
from lakeproof_shop.proof.claims.ring import ring_rows
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals

LOOKS = 3
SKUS_AT_ONCE = 20  # at the further looks

_TOTALS = "SELECT DISTINCT sku, version, received, sold, reserved, active, events, sent FROM inventory.stock{where}"
_VERSIONS = "SELECT DISTINCT sku, version FROM inventory.stock{where}"
_ALL_LINES = (
    "SELECT sku, id, kind, state, quantity, expires_at FROM inventory.stock WHERE kind = '{kind}' ALLOW FILTERING"
)
_LINES = (
    "SELECT sku, id, kind, state, quantity, expires_at FROM inventory.stock{where} AND kind IN ('line', 'receipt')"
)
# A SKU's events have numbers without a gap from 1 on, and each change writes one.
_FIRST_EVENTS = "SELECT sku FROM inventory.stock WHERE kind = 'event' AND n = 1 ALLOW FILTERING"

# Gives the rows of a statement.
type Ask = Callable[[str], Iterator[Any]]


def read_stock(stack: Stack) -> dict[str, Any]:
    """The fields of the facts. Raises: CouldNotLook."""
    totals: dict[str, SkuTotals] = {}
    lines: dict[str, list[Any]] = {}
    with ring_rows(stack) as ask:
        moving = _look(ask, None, totals, lines)
        young = frozenset(row[0] for row in ask(_FIRST_EVENTS))
        for _ in range(1, LOOKS):
            for some in batched(sorted(moving), SKUS_AT_ONCE):
                moving = moving.difference(some) | _look(ask, some, totals, lines)
    now = datetime.now(UTC)
    rows = [row for of_sku in lines.values() for row in of_sku]
    held = tuple(
        ReservedLine(str(id_), sku, state, int(quantity or 0), _seconds_since(expires_at, now))
        for sku, id_, kind, state, quantity, expires_at in rows
        if kind == "line"
    )
    return {
        "totals": tuple(totals.values()),
        "sums": {sku: _sums(of_sku) for sku, of_sku in lines.items()},
        "lines": held,
        "receipts": tuple(Receipt(str(row[1]), row[0], int(row[4] or 0)) for row in rows if row[2] == "receipt"),
        "steady": frozenset(totals.keys() - moving),
        "young": young,
    }


def _look(
    ask: Ask, skus: Collection[str] | None, totals: dict[str, SkuTotals], lines: dict[str, list[Any]]
) -> frozenset[str]:
    """Read these SKUs (None: all) into `totals` and `lines`; gives those that changed meanwhile."""
    where = "" if skus is None else f" WHERE sku IN ({', '.join(map(literal, skus))})"
    rows = ask(_TOTALS.format(where=where))
    seen = {row[0]: SkuTotals(row[0], *(int(value or 0) for value in row[1:])) for row in rows}
    if skus is None:
        found = [row for kind in ("line", "receipt") for row in ask(_ALL_LINES.format(kind=kind))]
    else:
        found = list(ask(_LINES.format(where=where)))
    again = {row[0]: int(row[1] or 0) for row in ask(_VERSIONS.format(where=where))}
    totals.update(seen)
    for sku in seen:
        lines[sku] = []
    for row in found:
        lines.setdefault(row[0], []).append(row)
    return frozenset(sku for sku, one in seen.items() if again.get(sku) != one.version)


def _sums(rows: Iterable[Any]) -> tuple[LineSum, ...]:
    many, units = Counter[str](), Counter[str]()
    for _, _, _, state, quantity, _ in rows:
        many[state] += 1
        units[state] += int(quantity or 0)
    return tuple(LineSum(state, count, units[state]) for state, count in many.items())


def _seconds_since(at: datetime | None, now: datetime) -> float:
    """How long ago the time was. at: as the driver gives it, UTC without a zone.

    A line without a time is not held; it counts as infinitely far in the future.
    """
    return float("-inf") if at is None else (now - at.replace(tzinfo=UTC)).total_seconds()
