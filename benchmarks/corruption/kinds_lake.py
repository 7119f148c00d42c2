"""The lake alone: rows of its tables through Paimon, and the files that hold them. The database stays as it is."""

from collections.abc import Iterator
from random import Random

from benchmarks.corruption.kind import Kind, Looking, Plant, Planted, Step, named, picked
from benchmarks.corruption.least_steps import LEAST, changed
from benchmarks.corruption.orders import invented, order_of, some_order
from benchmarks.corruption.rows import EVENTS, ITEMS, ORDERS, LakeTable, row_changed
from lakeproof.stack.object_store import bucket_and_key

_NEEDS = frozenset({"mysql", "publisher", "flink-taskmanager", "trino"})
FLIPPED_BYTES = 64


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    yield from named({**_of_columns(), **_ROWS}, _NEEDS, "lake")


def _of_columns() -> dict[str, Plant]:
    wanted = {
        "orders": (
            ("client_key", "in case"),
            ("customer_id", "to NULL"),
            ("status", "by a trailing blank"),
            ("total", "by a cent"),
            ("item_count", "by one"),
            ("version", "by minus one"),
            ("created_at", "by a microsecond"),
            ("updated_at", "by a microsecond"),
        ),
        "order_items": (
            ("order_id", "to NULL"),
            ("line", "by one"),
            ("sku", "to NULL"),
            ("quantity", "by one"),
            ("unit_price", "by a cent"),
        ),
        "order_events": (
            ("order_id", "to NULL"),
            ("version", "by one"),
            ("type", "in case"),
            ("at", "by a microsecond"),
        ),
    }
    return {
        f"{table}.{column} {step}": _column(table, column, step)
        for table, all_ in wanted.items()
        for column, step in all_
    }


def _column(table: str, column: str, step: str) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        order = some_order(look, rng, "version > 1")
        row = order.rows(table)[-1]
        after = changed(row, **{column: LEAST[step](row[column])})
        keys = (order.key, str(after.get("client_key", order.key)))
        what = f"{table} {row['id']}: {column} becomes {after[column]!r}"
        return row_changed(what, keys, _TABLES[table], row, after)

    return plant


def _row_gone(table: LakeTable, name: str) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        order = some_order(look, rng)
        row = order.rows(name)[-1]
        goes = table.delete("id", [row["id"]])
        # In a table without a key, an undo that runs twice would insert the row twice: delete it first.
        back = (table.insert([row]),) if table.has_key else (goes, table.insert([row]))
        return Planted(f"{name} {row['id']} goes", (order.key,), (goes,), back)

    return plant


def _doubled(table: LakeTable, name: str) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        order = some_order(look, rng)
        row = order.rows(name)[-1]
        second = changed(row, id=row["id"] + 800_000_000)
        return Planted(
            f"{name} {row['id']} comes again as {second['id']}",
            (order.key,),
            (table.insert([second]),),
            (table.delete("id", [second["id"]]),),
        )

    return plant


def _event_twice(look: Looking, rng: Random) -> Planted:
    order = some_order(look, rng)
    event = order.events[-1]
    return Planted(
        f"event {event['id']} comes a second time",
        (order.key,),
        (EVENTS.insert([event]),),
        (EVENTS.delete("id", [event["id"]]), EVENTS.insert([event])),
    )


def _event_all_wrong(look: Looking, rng: Random) -> Planted:
    order = some_order(look, rng)
    event = order.events[-1]
    after = changed(event, id=event["id"] + 800_000_000, type="nothing", at=LEAST["by a microsecond"](event["at"]))
    return row_changed(f"event {event['id']}: id, type and time change", (order.key,), EVENTS, event, after)


def _item_moved(look: Looking, rng: Random) -> Planted:
    one = some_order(look, rng)
    other = some_order(look, rng, f"id <> {one.row['id']}")
    item = picked(rng, one.items, "item")
    after = changed(item, order_id=other.row["id"])
    return row_changed(
        f"item {item['id']} moves to order {other.row['id']}", (one.key, other.key), ITEMS, item, after
    )


def _whole_order_gone(look: Looking, rng: Random) -> Planted:
    order = some_order(look, rng)
    id_ = order.row["id"]
    return Planted(
        f"order {id_} goes with items and events",
        (order.key,),
        (
            ORDERS.delete("id", [id_]),
            ITEMS.delete("id", [row["id"] for row in order.items]),
            EVENTS.delete("order_id", [id_]),
        ),
        (
            ORDERS.insert([order.row]),
            ITEMS.insert(order.items),
            EVENTS.delete("order_id", [id_]),
            EVENTS.insert(order.events),
        ),
    )


def _whole_order_comes(look: Looking, rng: Random) -> Planted:
    order = invented(rng, id_=-1 - rng.randrange(40))
    id_ = order.row["id"]
    return Planted(
        f"order {id_} comes, that nobody bought",
        (order.key, f"order id {id_}"),
        (ORDERS.insert([order.row]), ITEMS.insert(order.items), EVENTS.insert(order.events)),
        (ORDERS.delete("id", [id_]), ITEMS.delete("order_id", [id_]), EVENTS.delete("order_id", [id_])),
    )


def _file_of(look: Looking, rng: Random, table: str) -> tuple[str, str]:
    """The bucket/key of a data file of the published table, and the key of an order with a row in that file."""
    order = order_of(look, some_order(look, rng).row["id"])
    column = "id" if table == "orders" else "order_id"
    rows = look.trino(f'SELECT "$path" FROM oltp.{table} WHERE {column} = {order.row["id"]}')
    return "/".join(bucket_and_key(str(picked(rng, rows, "row in the lake")[0]))), order.key


def _file_flipped(look: Looking, rng: Random) -> Planted:
    table = rng.choice(("orders", "order_items", "order_events"))
    place, _ = _file_of(look, rng, table)
    whole = look.read("object", place)
    start = len(whole) // 4
    flipped = (
        whole[:start]
        + bytes(255 - each for each in whole[start : start + FLIPPED_BYTES])
        + whole[start + FLIPPED_BYTES :]
    )
    return Planted(
        f"{FLIPPED_BYTES} bytes of a file of {table} flip",
        (),
        (Step("object", flipped.hex(), place),),
        (Step("object", whole.hex(), place),),
    )


def _file_gone(look: Looking, rng: Random) -> Planted:
    table = rng.choice(("orders", "order_items", "order_events"))
    place, _ = _file_of(look, rng, table)
    whole = look.read("object", place)
    return Planted(f"a file of {table} goes", (), (Step("object", "", place),), (Step("object", whole.hex(), place),))


_TABLES = {"orders": ORDERS, "order_items": ITEMS, "order_events": EVENTS}
_ROWS: dict[str, Plant] = {
    **{f"{name} row gone": _row_gone(table, name) for name, table in _TABLES.items()},
    **{f"{name} row doubled under another id": _doubled(table, name) for name, table in _TABLES.items()},
    "event twice": _event_twice,
    "event with another id, type and time": _event_all_wrong,
    "item moved to another order": _item_moved,
    "whole order gone": _whole_order_gone,
    "whole order with a negative id invented": _whole_order_comes,
    "bytes of a data file flipped": _file_flipped,
    "data file gone": _file_gone,
}
