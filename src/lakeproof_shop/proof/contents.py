"""Puts the rows of opened buckets of one engine together as orders, items and events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDER_ITEMS, ORDERS, TABLES, Table
from lakeproof_shop.services.order.models import Item, Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of order_events."""

    id: int
    order_id: int
    version: int
    type: str
    at_us: int


@dataclass(frozen=True, slots=True)
class IncompleteRow:
    """A row with NULL where there always is a value. order_id, client_key: None where the row does not hold them."""

    table: str
    missing: tuple[str, ...]
    order_id: int | None
    client_key: str | None
    text: str


@dataclass
class Contents:
    """Rows of one engine; items and events are by order id. `orders` hold no items: an item may lack its order.

    incomplete: rows with a NULL, from which no order, item or event can be made.
    """

    orders: list[Order] = field(default_factory=list)
    items: Mapping[int, list[Item]] = field(default_factory=dict)
    events: Mapping[int, list[EventRow]] = field(default_factory=dict)
    incomplete: list[IncompleteRow] = field(default_factory=list)


def contents_of(rows: Mapping[str, Iterable[Sequence[Any]]]) -> Contents:
    """The contents of these rows: canonical values per table, in the order of the table's columns."""
    whole = {table.name: [row for row in rows.get(table.name, ()) if None not in row] for table in TABLES}
    items: dict[int, list[Item]] = defaultdict(list)
    for id_, order_id, line, sku, quantity, unit_price in whole[ORDER_ITEMS.name]:
        items[int(order_id)].append(Item(int(id_), int(line), str(sku), int(quantity), str(unit_price)))
    events: dict[int, list[EventRow]] = defaultdict(list)
    for id_, order_id, version, kind, at in whole[ORDER_EVENTS.name]:
        events[int(order_id)].append(EventRow(int(id_), int(order_id), int(version), str(kind), int(at)))
    incomplete = [_incomplete(table, row) for table in TABLES for row in rows.get(table.name, ()) if None in row]
    return Contents([_order(row) for row in whole[ORDERS.name]], dict(items), dict(events), incomplete)


def _incomplete(table: Table, row: Sequence[Any]) -> IncompleteRow:
    values = {column.name: value for column, value in zip(table.columns, row, strict=True)}
    order_id, client_key = values[table.order_column], values.get("client_key")
    return IncompleteRow(
        table.name,
        tuple(name for name, value in values.items() if value is None),
        None if order_id is None else int(order_id),
        None if client_key is None else str(client_key),
        ", ".join(f"{name} {value}" for name, value in values.items() if value is not None),
    )


def _order(row: Sequence[Any]) -> Order:
    id_, client_key, customer_id, status, total, item_count, version, created_at, updated_at = row
    return Order(
        id=int(id_),
        client_key=str(client_key),
        customer_id=int(customer_id),
        status=str(status),
        total=str(total),
        item_count=int(item_count),
        version=int(version),
        created_at=_iso(int(created_at)),
        updated_at=_iso(int(updated_at)),
        items=(),
    )


def _iso(microseconds: int) -> str:
    """A time as the service writes it: six digits and a Z. The lake's columns can also hold a time that Python's
    calendar cannot. Such a time stays a number: the row then differs from the acknowledged one, and the finding names
    the number.
    """
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return str(microseconds)
