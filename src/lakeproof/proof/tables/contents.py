"""The rows of opened buckets in one engine, put together as orders with their items and events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDER_ITEMS, ORDERS
from lakeproof.shop.order.models import Item, Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of order_events."""

    id: int
    order_id: int
    version: int
    type: str
    at_us: int


@dataclass
class Contents:
    """Rows of one engine. `orders` hold no items yet: an item may be there without its order."""

    orders: list[Order] = field(default_factory=list)
    items: Mapping[int, list[Item]] = field(default_factory=dict)
    events: Mapping[int, list[EventRow]] = field(default_factory=dict)


def contents_of(rows: Mapping[str, Iterable[Sequence[Any]]]) -> Contents:
    """From canonical values per table, in the order of the table's columns."""
    items: dict[int, list[Item]] = defaultdict(list)
    for id_, order_id, line, sku, quantity, unit_price in rows.get(ORDER_ITEMS.name, ()):
        items[int(order_id)].append(Item(int(id_), int(line), str(sku), int(quantity), str(unit_price)))
    events: dict[int, list[EventRow]] = defaultdict(list)
    for id_, order_id, version, kind, at in rows.get(ORDER_EVENTS.name, ()):
        events[int(order_id)].append(EventRow(int(id_), int(order_id), int(version), str(kind), int(at)))
    return Contents([_order(row) for row in rows.get(ORDERS.name, ())], dict(items), dict(events))


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
    """As the service writes times: six digits and a Z."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
