"""Judges one engine's rows against the ledger, key by key. It asks nothing, and its rules hold under traffic.

For every client key, the version found must be at least the newest version acknowledged before the cut. The row must
be what was acknowledged at that version, or what a call asked for that may still be under way. A refused call allows
nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDER_ITEMS, ORDERS
from lakeproof_shop.customers.ledger import Expectation, Expectations, State
from lakeproof_shop.proof.contents import Contents, EventRow, IncompleteRow
from lakeproof_shop.services.order.models import Item, Order


class Judge:
    """Holds the rows of some buckets against the ledger.

    cut_us: what was acknowledged before that time must be there. whole: True where the ledger knows every order, so
    that an unknown one is wrong. Otherwise rows of unknown orders are somebody else's: they are not judged, and
    `not_ours` counts them by table.
    """

    def __init__(self, expectations: Expectations, cut_us: int, *, whole: bool = True) -> None:
        self._expected = expectations.by_key
        self.cut_us = cut_us
        self._whole = whole
        self.not_ours: Counter[str] = Counter()
        self.id_of_key = {key: id_ for key, one in self._expected.items() if (id_ := _known_id(one)) is not None}
        self._key_of_id = {id_: key for key, id_ in self.id_of_key.items()}

    def name_of(self, order_id: int) -> str:
        """The order's key where the ledger knows it, else its id in words."""
        return self._key_of_id.get(order_id, f"order id {order_id}")

    def knows(self, key: str, version: int) -> bool:
        """True where the shop acknowledged that version, with all of its content. For a version that was only asked
        for, the ledger has no ids and times.
        """
        one = self._expected.get(key)
        return one is not None and any(state.version == version for state in one.acknowledged)

    def findings(self, found: Contents, opened: set[int], width: int) -> list[Finding]:
        """Everything wrong in the opened buckets, by table, then key."""
        incomplete = found.incomplete
        by_key: dict[str, list[Order]] = defaultdict(list)
        for order in found.orders:
            by_key[order.client_key].append(order)
        key_of_id = self._key_of_id | {order.id: order.client_key for order in found.orders if order.id is not None}
        asked = {key for key, id_ in self.id_of_key.items() if id_ // width in opened}
        if not self._whole:
            found, by_key = self._without_others(found, by_key, key_of_id)
        wrong: list[Finding] = [self._incomplete(row) for row in incomplete]
        for key in asked | by_key.keys():
            wrong.extend(self._order(key, by_key.get(key, []), found.items))
        for order_id in found.items.keys() - {order.id for order in found.orders}:
            wrong.extend(self._orphans(order_id, key_of_id.get(order_id), found.items[order_id]))
        for order_id in {self.id_of_key[key] for key in asked} | found.events.keys():
            wrong.extend(self._events(order_id, key_of_id.get(order_id), found.events.get(order_id, [])))
        return sorted(wrong, key=lambda one: (one.table, one.wrong, one.key))

    def _incomplete(self, row: IncompleteRow) -> Finding:
        """A row with a NULL that no order ever has: no shopper asked for that, whosever order it is."""
        named = row.client_key or ("order id NULL" if row.order_id is None else self.name_of(row.order_id))
        return Finding(row.table, Wrong.PHANTOM, named, f"{', '.join(row.missing)} NULL in the row of {row.text}")

    def _without_others(
        self, found: Contents, by_key: Mapping[str, list[Order]], key_of_id: Mapping[int, str]
    ) -> tuple[Contents, dict[str, list[Order]]]:
        """Only the rows of orders that the ledger knows. All other rows are counted."""
        ours = {order_id for order_id, key in key_of_id.items() if key in self._expected}
        self.not_ours[ORDERS.name] = sum(order.client_key not in self._expected for order in found.orders)
        self.not_ours[ORDER_ITEMS.name] = sum(len(rows) for id_, rows in found.items.items() if id_ not in ours)
        self.not_ours[ORDER_EVENTS.name] = sum(len(rows) for id_, rows in found.events.items() if id_ not in ours)
        kept = Contents(
            [order for order in found.orders if order.client_key in self._expected],
            {id_: rows for id_, rows in found.items.items() if id_ in ours},
            {id_: rows for id_, rows in found.events.items() if id_ in ours},
        )
        return kept, {key: rows for key, rows in by_key.items() if key in self._expected}

    def _order(self, key: str, rows: list[Order], items: Mapping[int, list[Item]]) -> Iterator[Finding]:
        one = self._expected.get(key)
        if one is None or not (one.acknowledged or one.open_call):
            why = "no shopper ever asked for it" if one is None else "its creation was refused"
            yield from (Finding(ORDERS.name, Wrong.PHANTOM, key, f"id {row.id}: {why}") for row in rows)
            for row in rows:
                for item in items.get(row.id or 0, ()):
                    yield Finding(ORDER_ITEMS.name, Wrong.PHANTOM, f"{key} line {item.line}", why)
            return
        must = one.newest_acked_before(self.cut_us)
        if len(rows) > 1:
            ids = ", ".join(str(row.id) for row in rows)
            yield Finding(ORDERS.name, Wrong.DUPLICATED, key, f"ids {ids} for one client key")
        if not rows:
            yield from self._absent(one, must, items.get(self.id_of_key.get(key, 0), []))
            return
        row = max(rows, key=lambda each: each.version)
        states = one.states_at(row.version)
        if must.version and must.order is None:
            yield Finding(ORDERS.name, Wrong.STALE, key, f"deleted at version {must.version}, there at {row.version}")
        elif row.version < must.version:
            detail = f"version {row.version} where {must.version} was acknowledged"
            yield Finding(ORDERS.name, Wrong.STALE, key, detail)
        elif not states:
            detail = (
                f"version {row.version}, which nobody asked for or was refused; the newest is {one.newest_version}"
            )
            yield Finding(ORDERS.name, Wrong.PHANTOM, key, detail)
        else:
            yield from _content(key, states, row, items.get(row.id or 0, []))

    def _absent(self, one: Expectation, must: State, left: list[Item]) -> Iterator[Finding]:
        later_gone = any(state.order is None for state in one.acknowledged if state.at_us >= self.cut_us)
        may_be_gone = later_gone or (one.open_call is not None and one.open_call.order is None)
        if must.version == 0 or must.order is None or may_be_gone:
            return
        yield Finding(ORDERS.name, Wrong.LOST, one.key, f"acknowledged at version {must.version}, absent")
        lines = {item.line for item in left}
        for item in must.order.items:
            if item.line not in lines:
                yield Finding(ORDER_ITEMS.name, Wrong.LOST, f"{one.key} line {item.line}", "acknowledged, absent")

    def _orphans(self, order_id: int, key: str | None, items: list[Item]) -> Iterator[Finding]:
        """Items without their order: stale where the order was deleted; right where the order itself is lost."""
        one = self._expected.get(key) if key is not None else None
        must = one.newest_acked_before(self.cut_us) if one is not None else None
        if must is not None and (must.order is not None or must.version == 0):
            return
        wrong = Wrong.PHANTOM if one is None else Wrong.STALE
        for item in items:
            named = f"{key or f'order id {order_id}'} line {item.line}"
            yield Finding(ORDER_ITEMS.name, wrong, named, f"item {item.id} without its order")

    def _events(self, order_id: int, key: str | None, rows: list[EventRow]) -> Iterator[Finding]:
        counts = Counter(row.version for row in rows)
        named = key or f"order id {order_id}"
        for version, count in counts.items():
            if count > 1:
                ids = ", ".join(str(row.id) for row in rows if row.version == version)
                yield Finding(ORDER_EVENTS.name, Wrong.DUPLICATED, f"{named} v{version}", f"{count} rows, ids {ids}")
        one = self._expected.get(key) if key is not None else None
        if one is None:
            for version in counts:
                yield Finding(ORDER_EVENTS.name, Wrong.PHANTOM, f"{named} v{version}", "no shopper asked for it")
            return
        for version in range(1, one.newest_acked_before(self.cut_us).version + 1):
            if version not in counts:
                yield Finding(ORDER_EVENTS.name, Wrong.LOST, f"{named} v{version}", "acknowledged, absent")
        for version in counts:
            if not 1 <= version <= one.newest_version:
                yield Finding(ORDER_EVENTS.name, Wrong.PHANTOM, f"{named} v{version}", "no shopper asked for it")


def _known_id(one: Expectation) -> int | None:
    return next((state.order.id for state in one.acknowledged if state.order is not None and state.order.id), None)


def _content(key: str, states: Sequence[State], row: Order, items: list[Item]) -> Iterator[Finding]:
    """The row and its items against the states that the ledger allows at that version."""
    status = row.status
    known = next((one for one in states if one.order is not None and one.order.status == status), states[0])
    if known.order is None:
        yield Finding(ORDERS.name, Wrong.PHANTOM, key, f"there at version {row.version}, at which it was deleted")
        return
    if not replace(known.order, items=()).describes(row):
        difference = replace(known.order, items=()).differences(row)
        detail = f"changed without a shopper at version {row.version}: {difference}"
        yield Finding(ORDERS.name, Wrong.PHANTOM, key, detail)
    expected = {item.line: item for item in known.order.items}
    lines = Counter(item.line for item in items)
    for item in items:
        named = f"{key} line {item.line}"
        wanted = expected.get(item.line)
        if lines[item.line] > 1:
            yield Finding(
                ORDER_ITEMS.name, Wrong.DUPLICATED, named, f"{lines[item.line]} rows, one is item {item.id}"
            )
        elif wanted is None:
            yield Finding(ORDER_ITEMS.name, Wrong.PHANTOM, named, f"item {item.id}: no shopper asked for it")
        elif wanted.id not in (None, item.id) or replace(wanted, id=item.id) != item:
            yield Finding(ORDER_ITEMS.name, Wrong.PHANTOM, named, f"changed without a shopper: item {item.id}")
    for line in expected.keys() - lines.keys():
        yield Finding(ORDER_ITEMS.name, Wrong.LOST, f"{key} line {line}", "acknowledged, absent")
