"""The shop's database, behind the shop's back: seen by change capture, or with the binlog off.

A captured change reaches the lake, so that database and lake both show it and only the ledger tells otherwise. A
change with the binlog off is in the database alone, as after a lost capture or a restored page. The lake's table of
events takes new rows only, so a captured change of an event does not reach it.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.corruption.kind import Kind, Looking, Plant, Planted, Step, picked, picked_two
from benchmarks.corruption.least_steps import LEAST, changed
from benchmarks.corruption.orders import WholeOrder, invented, order_of, some_order
from benchmarks.corruption.projected_orders import as_before
from benchmarks.corruption.rows import CAPTURED, EVENTS, STORE_ONLY, Row, Table

_WAYS = {"captured": CAPTURED, "store only": STORE_ONLY}
_NEEDS = frozenset({"mysql"})

# Table → (column, least step): changes that the shop never makes to that column alone.
_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "orders": (
        ("client_key", "in case"),
        ("client_key", "by a trailing blank"),
        ("client_key", "in Unicode form"),
        ("customer_id", "by one"),
        ("status", "by a trailing blank"),
        ("status", "in case"),
        ("status", "to empty"),
        ("total", "by a cent"),
        ("item_count", "by one"),
        ("version", "by one"),
        ("version", "by minus one"),
        ("created_at", "by a microsecond"),
        ("updated_at", "by a microsecond"),
    ),
    "order_items": (
        ("line", "by one"),
        ("sku", "in case"),
        ("sku", "by a trailing blank"),
        ("sku", "in Unicode form"),
        ("quantity", "by one"),
        ("unit_price", "by a cent"),
    ),
    "order_events": (
        ("version", "by one"),
        ("type", "in case"),
        ("type", "to empty"),
        ("at", "by a microsecond"),
    ),
}


def kinds() -> Iterator[Kind]:
    """All kinds of this module: each column change in one of the two ways, each change of whole rows in both."""
    for table, columns in _COLUMNS.items():
        for place, (column, step) in enumerate(columns):
            # The ways alternate. For events the way makes no difference, but for what the job refuses.
            way = list(_WAYS)[place % 2]
            yield Kind(f"mariadb, {way}: {table}.{column} {step}", _column(table, column, step, _WAYS[way]), _NEEDS)
    for way, store in _WAYS.items():
        for name, plant in _WHOLE.items():
            yield Kind(f"mariadb, {way}: {name}", _bound(plant, store), _NEEDS)


def _bound(plant: Any, store: str) -> Plant:
    return lambda look, rng: plant(look, rng, store)


def _table(name: str, store: str) -> Table:
    return Table(store, f"oltp.{name}")


def _having(table: str) -> str:
    # Versions above 1, so that a version can go down by one without being 0. Items of deleted orders are gone anyway.
    return "version > 1" if table == "orders" else "1 = 1"


def _column(table: str, column: str, step: str, store: str) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        order = some_order(look, rng, _having(table))
        # Of the events, the last one: only its version has a free number after it.
        row = order.rows(table)[-1]
        after = changed(row, **{column: LEAST[step](row[column])})
        one = _table(table, store)
        # The job refuses changes of events, so the undo must not be captured either.
        back = _table(table, STORE_ONLY) if table == "order_events" else one
        what = f"{table} {row['id']}: {column} {row[column]!r} becomes {after[column]!r}"
        keys = (order.key, str(after["client_key"])) if table == "orders" else (order.key,)
        return _planted(look, what, keys, [one.update(row, after)], [back.update(after, row)], [order])

    return plant


def _planted(
    look: Looking,
    what: str,
    keys: tuple[str, ...],
    do: Sequence[Step],
    undo: Sequence[Step],
    orders: Sequence[WholeOrder] = (),
) -> Planted:
    """orders: the orders to restore in the projection as well, where a captured change has reached it."""
    projected = as_before(look, orders) if do[0].store == CAPTURED else []
    return Planted(what, keys, tuple(do), (*undo, *projected))


def _updated(
    look: Looking,
    what: str,
    keys: tuple[str, ...],
    table: Table,
    pairs: Sequence[tuple[Row, Row]],
    orders: Sequence[WholeOrder] = (),
) -> Planted:
    """pairs: rows of the table, each with the row that it becomes."""
    planted = table.becomes(what, keys, *pairs)
    return _planted(look, what, keys, planted.do, planted.undo, orders)


def _row_gone(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    orders = _table("orders", store)
    return _planted(
        look,
        f"order {order.row['id']} goes, its items stay",
        (order.key,),
        [orders.delete(order.row)],
        [orders.insert(order.row)],
        [order],
    )


def _item_gone(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    item, items = picked(rng, order.items, "item"), _table("order_items", store)
    return _planted(look, f"item {item['id']} goes", (order.key,), [items.delete(item)], [items.insert(item)])


def _event_gone(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    event, events = picked(rng, order.events, "event"), _table("order_events", store)
    back = _table("order_events", STORE_ONLY).insert(event)
    return _planted(look, f"event {event['id']} goes", (order.key,), [events.delete(event)], [back])


def _whole_order_gone(look: Looking, rng: Random, store: str) -> Planted:
    """Deletes an order with all its rows. The database is consistent: only the ledger, or the lake, has the order."""
    order = some_order(look, rng)
    tables = [_table(name, store) for name in ("orders", "order_items", "order_events")]
    back = [*tables[:2], _table("order_events", STORE_ONLY)]
    rows = [(table, row) for name, table in zip(_COLUMNS, tables, strict=True) for row in order.rows(name)]
    again = [(table, row) for name, table in zip(_COLUMNS, back, strict=True) for row in order.rows(name)]
    return _planted(
        look,
        f"order {order.row['id']} goes with items and events",
        (order.key,),
        [table.delete(row) for table, row in rows],
        [table.insert(row) for table, row in again],
        [order],
    )


def _whole_order_comes(look: Looking, rng: Random, store: str) -> Planted:
    return _invented(look, invented(rng), store)


def _negative_order_comes(look: Looking, rng: Random, store: str) -> Planted:
    return _invented(look, invented(rng, id_=-1 - rng.randrange(40)), store)


def _invented(look: Looking, order: WholeOrder, store: str) -> Planted:
    rows = [(_table(name, store), row) for name in _COLUMNS for row in order.rows(name)]
    gone = [(_table(name, store), row) for name in ("orders", "order_items") for row in order.rows(name)]
    undo = [table.delete(row) for table, row in gone]
    undo += [_table("order_events", STORE_ONLY).delete(row) for row in order.events]
    if store == CAPTURED:
        undo.append(EVENTS.delete("id", [row["id"] for row in order.events]))
    return _planted(
        look,
        f"order {order.row['id']} comes, that nobody bought",
        (order.key, f"order id {order.row['id']}"),
        [table.insert(row) for table, row in rows],
        undo,
    )


def _order_under_another_id(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    orders, after = _table("orders", store), changed(order.row, id=order.row["id"] + 800_000_000)
    return _updated(
        look,
        f"order {order.row['id']} becomes {after['id']}",
        (order.key,),
        orders,
        [(order.row, after)],
        [order],
    )


def _item_doubled(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    item, items = picked(rng, order.items, "item"), _table("order_items", store)
    second = changed(item, id=item["id"] + 800_000_000)
    return _planted(
        look,
        f"item {item['id']} comes again as {second['id']}",
        (order.key,),
        [items.insert(second)],
        [items.delete(second)],
    )


def _item_moved(look: Looking, rng: Random, store: str) -> Planted:
    one, other = _two(look, rng)
    item, items = picked(rng, one.items, "item"), _table("order_items", store)
    after = changed(item, order_id=other.row["id"])
    return _updated(
        look,
        f"item {item['id']} moves to order {other.row['id']}",
        (one.key, other.key),
        items,
        [(item, after)],
    )


def _item_of_no_order(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng)
    item, items = picked(rng, order.items, "item"), _table("order_items", store)
    after = changed(item, order_id=-item["order_id"])
    return _updated(
        look,
        f"item {item['id']} moves to order {after['order_id']}",
        (order.key,),
        items,
        [(item, after)],
    )


def _same_sum(look: Looking, rng: Random, store: str) -> Planted:
    """Doubles an item's quantity and halves its price, so that the order's total still fits."""
    order = some_order(
        look,
        rng,
        "EXISTS (SELECT 1 FROM oltp.order_items i WHERE i.order_id = o.id AND MOD(i.unit_price * 100, 2) = 0)",
    )
    item = next(each for each in order.items if each["unit_price"] * 100 % 2 == 0)
    items, after = (
        _table("order_items", store),
        changed(item, quantity=item["quantity"] * 2, unit_price=item["unit_price"] / 2),
    )
    return _updated(
        look,
        f"item {item['id']}: twice the units at half the price",
        (order.key,),
        items,
        [(item, after)],
    )


def _customers_swapped(look: Looking, rng: Random, store: str) -> Planted:
    one, other = _two(look, rng, "customer_id")
    orders = _table("orders", store)
    swapped = [
        (each.row, changed(each.row, customer_id=whose.row["customer_id"]))
        for each, whose in ((one, other), (other, one))
    ]
    return _updated(
        look,
        f"orders {one.row['id']} and {other.row['id']} swap customers",
        (one.key, other.key),
        orders,
        swapped,
        [one, other],
    )


def _lines_swapped(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng, "item_count > 1")
    one, other = picked_two(rng, order.items, "items of an order")
    items = _table("order_items", store)
    swapped = [(each, changed(each, line=whose["line"])) for each, whose in ((one, other), (other, one))]
    return _updated(
        look,
        f"items {one['id']} and {other['id']} swap lines",
        (order.key,),
        items,
        swapped,
    )


def _events_renumbered(look: Looking, rng: Random, store: str) -> Planted:
    order = some_order(look, rng, "version > 1")
    one, other = order.events[:2]
    aside = changed(one, version=-1)  # the table allows one event per version, so a swap needs a third number

    def swap(store: str, back: bool) -> list[Step]:
        events = _table("order_events", store)
        first, second = (
            (one, other)
            if not back
            else (changed(one, version=other["version"]), changed(other, version=one["version"]))
        )
        return [
            events.update(first, aside),
            events.update(second, changed(second, version=first["version"])),
            events.update(aside, changed(one, version=second["version"])),
        ]

    return _planted(
        look,
        f"events {one['id']} and {other['id']} swap versions",
        (order.key,),
        swap(store, False),
        swap(STORE_ONLY, True),
    )


def _event_moved(look: Looking, rng: Random, store: str) -> Planted:
    one, other = _two(look, rng)
    event = one.events[-1]
    after = changed(event, order_id=other.row["id"], version=other.row["version"] + 1)
    events, back = _table("order_events", store), _table("order_events", STORE_ONLY)
    return _planted(
        look,
        f"event {event['id']} moves to order {other.row['id']}",
        (one.key, other.key),
        [events.update(event, after)],
        [back.update(after, event)],
    )


def _changed_and_consistent(look: Looking, rng: Random, store: str) -> Planted:
    """Makes a change that the shop could have made, with its event, but that no shopper asked for."""
    order = some_order(look, rng, "status = 'created'")
    at = order.row["updated_at"]
    after = changed(order.row, status="paid", version=order.row["version"] + 1)
    event = {
        "id": 900_000_000 + rng.randrange(10**6),
        "order_id": order.row["id"],
        "version": after["version"],
        "type": "paid",
        "at": at,
    }
    orders, events = _table("orders", store), _table("order_events", store)
    undo = [orders.update(after, order.row), _table("order_events", STORE_ONLY).delete(event)]
    if store == CAPTURED:
        undo.append(EVENTS.delete("id", [event["id"]]))
    return _planted(
        look,
        f"order {order.row['id']} is paid by nobody",
        (order.key,),
        [orders.update(order.row, after), events.insert(event)],
        undo,
        [order],
    )


def _two(look: Looking, rng: Random, differing: str = "id") -> tuple[WholeOrder, WholeOrder]:
    rows = look.mariadb(f"SELECT MIN(id) AS id FROM oltp.orders GROUP BY {differing} ORDER BY 1")
    one, other = picked_two(rng, [row["id"] for row in rows], f"orders of another {differing}")
    return order_of(look, one), order_of(look, other)


_WHOLE = {
    "order row gone": _row_gone,
    "item gone": _item_gone,
    "event gone": _event_gone,
    "whole order gone": _whole_order_gone,
    "whole order invented": _whole_order_comes,
    "order with a negative id invented": _negative_order_comes,
    "order under another id": _order_under_another_id,
    "item doubled under another id": _item_doubled,
    "item moved to another order": _item_moved,
    "item moved to no order": _item_of_no_order,
    "twice the units at half the price": _same_sum,
    "customers of two orders swapped": _customers_swapped,
    "lines of two items swapped": _lines_swapped,
    "events renumbered": _events_renumbered,
    "event moved to another order": _event_moved,
    "order changed with its event": _changed_and_consistent,
}
