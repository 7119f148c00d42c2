"""Cassandra: stock, its lines and events, and the projection of orders."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.corruption.kind import Kind, Looking, Plant, Planted, Step, named, picked
from benchmarks.corruption.projected_orders import CASSANDRA, COMPONENT
from lakeproof_shop.projector.statements import PROJECTION

_STOCK = frozenset({"cassandra-seed", "inventory-service", "postgres"})
_PROJECTED = frozenset({"cassandra-seed", COMPONENT})
_TABLE = f"projections.{PROJECTION}"
_COLUMNS = ("customer_id", "order_id", "status", "total", "item_count", "version", "created_us", "updated_us")


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    yield from named(
        {
            **{f"{column} of a SKU by one": _total(column) for column in ("received", "sold", "reserved", "active")},
            "quantity of a sold line by one": _line("line", "sold", quantity=1),
            "a sold line is released": _line("line", "sold", state="'released'"),
            "a sold line gone": _line_gone("line", "sold"),
            "quantity of a receipt by one": _line("receipt", None, quantity=1),
            "a receipt gone": _line_gone("receipt", None),
            "an event gone": _line_gone("event", None),
        },
        _STOCK,
        "stock",
    )
    yield from named(
        {
            "row gone": _projection_gone,
            "total by a cent": _projection("total", Decimal("0.01")),
            "status to NULL": _projection("status", None),
            "version by one": _projection("version", 1),
            "row under another customer": _projection_moved,
        },
        _PROJECTED,
        "projection",
    )


def _total(column: str) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = picked(rng, _skus(look), "SKU")
        change = "UPDATE inventory.stock SET {} = {} WHERE sku = '{}'".format
        return Planted(
            f"{row['sku']}: {column} {row[column]} and one more",
            (row["sku"],),
            (Step(CASSANDRA, change(column, (row[column] or 0) + 1, row["sku"])),),
            (Step(CASSANDRA, change(column, row[column] or 0, row["sku"])),),
        )

    return plant


def _skus(look: Looking) -> list[dict[str, Any]]:
    rows = look.cassandra("SELECT DISTINCT sku, received, sold, reserved, active FROM inventory.stock")
    return sorted(rows, key=lambda row: str(row["sku"]))


def _lines(look: Looking, kind: str, state: str | None) -> list[dict[str, Any]]:
    names = "sku, kind, n, id, state, quantity, digest, op, expires_at, created_at, payload"
    rows = look.cassandra(f"SELECT {names} FROM inventory.stock WHERE kind = '{kind}' ALLOW FILTERING")
    # A SKU's oldest event is not taken: events expire, so it may go by itself.
    oldest = {sku: min(row["n"] for row in rows if row["sku"] == sku) for sku in {row["sku"] for row in rows}}
    some = [
        row for row in rows if state in (None, row["state"]) and (kind != "event" or row["n"] > oldest[row["sku"]])
    ]
    return sorted(some, key=lambda row: str(row["id"]))


def _is(row: Mapping[str, Any]) -> str:
    return f"sku = '{row['sku']}' AND kind = '{row['kind']}' AND n = {row['n']} AND id = {row['id']}"


def _line(kind: str, in_state: str | None, **values: Any) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = picked(rng, _lines(look, kind, in_state), f"{kind} {in_state or ''}")
        ((name, value),) = values.items()
        new = row[name] + value if isinstance(value, int) else value
        old = row[name] if isinstance(value, int) else f"'{row[name]}'"
        return Planted(
            f"{kind} {row['id']} of {row['sku']}: {name} becomes {new}",
            (row["sku"], str(row["id"])),
            (Step(CASSANDRA, f"UPDATE inventory.stock SET {name} = {new} WHERE {_is(row)}"),),
            (Step(CASSANDRA, f"UPDATE inventory.stock SET {name} = {old} WHERE {_is(row)}"),),
        )

    return plant


def _line_gone(kind: str, state: str | None) -> Plant:
    def plant(look: Looking, rng: Random) -> Planted:
        row = picked(rng, _lines(look, kind, state), f"{kind} {state or ''}")
        there = {name: value for name, value in row.items() if value is not None}
        values = ", ".join(_literal(value) for value in there.values())
        return Planted(
            f"{kind} {row['id']} of {row['sku']} goes",
            (row["sku"], str(row["id"])),
            (Step(CASSANDRA, f"DELETE FROM inventory.stock WHERE {_is(row)}"),),
            (Step(CASSANDRA, f"INSERT INTO inventory.stock ({', '.join(there)}) VALUES ({values})"),),
        )

    return plant


def _literal(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return f"'{value.isoformat(timespec='milliseconds')}+0000'"
    text = str(value).replace("'", "''")
    return f"'{text}'" if isinstance(value, str) else text


def _projected(look: Looking, rng: Random) -> tuple[dict[str, Any], str, str, int]:
    """A projected row, the key that the check names, the row's WHERE condition, and its write timestamp.

    The projector's timestamps follow the source's versions (2 x version). A planted write needs a timestamp newer
    than the row's, and older than that of any later version.
    """
    columns = ", ".join(_COLUMNS)
    rows = look.cassandra(f"SELECT {columns}, WRITETIME(version) AS written FROM {_TABLE}")
    row = dict(picked(rng, sorted(rows, key=lambda row: int(row["order_id"])), "projected order"))
    written = int(row.pop("written"))
    key = f"order {row['order_id']} of customer {row['customer_id']}"
    return row, key, f"customer_id = {row['customer_id']} AND order_id = {row['order_id']}", written


def _again(row: Mapping[str, Any], at: int) -> Step:
    names = ", ".join(row)
    values = ", ".join(_literal(value) for value in row.values())
    return Step(CASSANDRA, f"INSERT INTO {_TABLE} ({names}) VALUES ({values}) USING TIMESTAMP {at}")


def _projection(column: str, more: int | Decimal | None) -> Plant:
    """Adds `more` to the column of a projected order; None: sets the column to NULL."""

    def plant(look: Looking, rng: Random) -> Planted:
        row, key, place, written = _projected(look, rng)
        new = "NULL" if more is None else row[column] + more
        update = f"UPDATE {_TABLE} USING TIMESTAMP {written + 1} SET {column} = {new} WHERE {place}"
        return Planted(
            f"{key}: {column} becomes {new}", (key,), (Step(CASSANDRA, update),), (_again(row, written + 2),)
        )

    return plant


def _projection_gone(look: Looking, rng: Random) -> Planted:
    row, key, place, written = _projected(look, rng)
    delete = f"DELETE FROM {_TABLE} USING TIMESTAMP {written + 1} WHERE {place}"
    return Planted(f"{key} goes", (key,), (Step(CASSANDRA, delete),), (_again(row, written + 2),))


def _projection_moved(look: Looking, rng: Random) -> Planted:
    row, key, place, written = _projected(look, rng)
    other = {**row, "customer_id": row["customer_id"] + 1_000_000}
    there = f"customer_id = {other['customer_id']} AND order_id = {row['order_id']}"
    return Planted(
        f"{key} moves to customer {other['customer_id']}",
        (key,),
        (
            Step(CASSANDRA, f"DELETE FROM {_TABLE} USING TIMESTAMP {written + 1} WHERE {place}"),
            _again(other, written + 1),
        ),
        (
            Step(CASSANDRA, f"DELETE FROM {_TABLE} USING TIMESTAMP {written + 2} WHERE {there}"),
            _again(row, written + 2),
        ),
    )
