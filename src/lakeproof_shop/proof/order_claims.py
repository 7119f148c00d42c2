"""Claims on whole orders, across tables, in one engine at one instant: no part of a transaction may be visible."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lakeproof.lake.sources.source import OLTP
from lakeproof.proof.tables.judged_table import MOST, JudgedTable

WHOLE_ORDERS = "every order has all its items, and their sum"
NO_ORPHANS = "no items without an order"
NEWEST_EVENT = "every order is at the version of its newest event, with one event per version"
TABLES = {
    "orders": JudgedTable("order", "id", ("id", "item_count", "total", "version")),
    "order_items": JudgedTable("order", "order_id", ("order_id", "quantity", "unit_price")),
    "order_events": JudgedTable("order", "order_id", ("order_id", "version", "type")),
}
JUDGED = tuple(TABLES)
CLAIMS = (WHOLE_ORDERS, NO_ORPHANS, NEWEST_EVENT)

# n events whose powers 2^version sum up to 2^1 + … + 2^n have the versions 1 to n, once each: that sum has n binary
# ones, and no other n powers of two have it. A double holds the sum exactly up to n = 52. Of versions above this
# number only the count, the newest one and the sum are compared.
EXACT_TO = 50


@dataclass(frozen=True)
class BrokenOrder:
    """A claim that one order breaks. `key`: the order's id (all that an orphan item tells of it); None: NULL."""

    claim: str
    key: int | None
    detail: str
    noun: ClassVar = "order"
    database: ClassVar = OLTP.name

    @property
    def subject(self) -> str:
        """What breaks the claim."""
        return f"order {'id NULL' if self.key is None else self.key}"


def across_sql(schema: str) -> str:
    """SQL for the orders that break a claim now; MariaDB and Trino both take it. `broken_of` reads its rows."""
    return _sql("", _parts("", {table: f"{schema}.{table}" for table in JUDGED}))


def across_states_sql(states: Sequence[Mapping[str, str]]) -> str:
    """As `across_sql`, for several states of the tables, each judged by itself. One more column, the first, holds the
    state's place in `states`.

    states: each maps a table to its expression for FROM.
    """
    parts = [part for place, named in enumerate(states) for part in _parts(f"{place} AS place, ", named)]
    return _sql("place, ", parts)


def _sql(place: str, parts: Iterable[str]) -> str:
    return f"""\
SELECT {place}order_id, SUM(orders) AS orders, SUM(wanted_items) AS wanted_items, SUM(items) AS items,
 SUM(total) AS total, SUM(amount) AS amount, SUM(version) AS version, SUM(events) AS events,
 MAX(event_version) AS newest, MAX(gone) AS gone, SUM(event_version) AS event_versions,
 SUM(event_power) AS event_powers
FROM (
{" UNION ALL ".join(parts)}
) AS parts
GROUP BY {place}order_id
HAVING SUM(wanted_items) <> SUM(items) OR SUM(total) <> SUM(amount) OR SUM(events) <> MAX(event_version)
 OR 2 * SUM(event_version) <> SUM(events) * (SUM(events) + 1)
 OR SUM(event_power) <> POWER(2, CASE WHEN SUM(events) < {EXACT_TO} THEN SUM(events) ELSE {EXACT_TO} END + 1) - 2
 OR (SUM(orders) = 0 AND (SUM(items) > 0 OR MAX(gone) = 0))
 OR (SUM(orders) > 0 AND (MAX(gone) = 1 OR MAX(event_version) < 1 OR SUM(version) <> MAX(event_version)))
LIMIT {MOST}"""


def _parts(place: str, named: Mapping[str, str]) -> list[str]:
    """What each of the three tables adds to an order's sums."""
    return [
        f"SELECT {place}id AS order_id, 1 AS orders, item_count AS wanted_items, 0 AS items, total AS total,"
        " total - total AS amount, version AS version, 0 AS events, 0 AS event_version, 0 AS event_power,"
        f" 0 AS gone FROM {named['orders']}",
        f"SELECT {place}order_id, 0, 0, 1, unit_price - unit_price, quantity * unit_price, 0, 0, 0, 0, 0"
        f" FROM {named['order_items']}",
        f"SELECT {place}order_id, 0, 0, 0, 0, 0, 0, 1, version,"
        f" CASE WHEN version <= {EXACT_TO} THEN POWER(2, version) ELSE 0 END,"
        f" CASE WHEN type = 'deleted' THEN 1 ELSE 0 END FROM {named['order_events']}",
    ]


def broken_of(rows: Iterable[Sequence[Any]]) -> list[BrokenOrder]:
    """Which claims each returned order breaks. A sum over nothing but NULL counts as 0."""
    broken = []
    for row in rows:
        order_id = None if row[0] is None else int(row[0])
        values = [value or 0 for value in row[1:]]
        orders, wanted, items = (int(value) for value in values[:3])
        total, amount = (f"{float(value):.2f}" for value in values[3:5])
        version, events, newest, gone, event_versions, event_powers = (int(value) for value in values[5:11])
        if orders and (wanted != items or total != amount):
            detail = f"{items} of {wanted} items, {amount} of {total}"
            broken.append(BrokenOrder(WHOLE_ORDERS, order_id, detail))
        if not orders and items:
            broken.append(BrokenOrder(NO_ORPHANS, order_id, f"{items} items"))
        # Where some events are lost and as many doubled, the number is right, and the sum of the versions may be.
        one_each = (events, 2 * event_versions, event_powers) == (
            newest,
            events * (events + 1),
            2 ** (min(events, EXACT_TO) + 1) - 2,
        )
        if (
            not one_each
            or (orders and (version != newest or newest < 1 or gone))
            or (not orders and events and not gone)
        ):
            state = f"version {version}" if orders else "no order"
            detail = f"{state}, {events} events, the newest is {newest}{' (deleted)' if gone else ''}"
            if events == newest and not one_each:
                detail += ", and one version has two"
            broken.append(BrokenOrder(NEWEST_EVENT, order_id, detail))
    return broken
