"""Orders of the shop's database that a round can corrupt, whole: row, items and events."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.corruption.kind import Looking, picked

INVENTED_IDS = 700_000_000


@dataclass(frozen=True)
class WholeOrder:
    """An order with its items and events. The check must name its `key`."""

    row: dict[str, Any]
    items: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def key(self) -> str:
        """The order's client key."""
        return str(self.row["client_key"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The order's rows in that table."""
        return {"orders": [self.row], "order_items": self.items, "order_events": self.events}[table]


def some_order(look: Looking, rng: Random, having: str = "1 = 1") -> WholeOrder:
    """A random order that fits the SQL condition `having`. Raises: NothingToPlantOn."""
    ids = [row["id"] for row in look.mariadb(f"SELECT id FROM oltp.orders o WHERE {having} ORDER BY id")]
    return order_of(look, picked(rng, ids, f"order with {having}"))


def order_of(look: Looking, id_: int) -> WholeOrder:
    """The order of that id."""
    (row,) = look.mariadb(f"SELECT * FROM oltp.orders WHERE id = {id_}")
    items = look.mariadb(f"SELECT * FROM oltp.order_items WHERE order_id = {id_} ORDER BY id")
    events = look.mariadb(f"SELECT * FROM oltp.order_events WHERE order_id = {id_} ORDER BY version")
    return WholeOrder(row, items, events)


def invented(rng: Random, *, id_: int | None = None) -> WholeOrder:
    """A consistent order that no shopper asked for, with an id far above the shop's, or with `id_`."""
    number = INVENTED_IDS + rng.randrange(1_000_000) if id_ is None else id_
    at = datetime.now(UTC).replace(tzinfo=None)
    row = {
        "id": number,
        "client_key": f"invented-{rng.randrange(10**9)}",
        "customer_id": 7,
        "status": "created",
        "total": Decimal("12.50"),
        "item_count": 2,
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    items = [
        {
            "id": number * 2 + line,
            "order_id": number,
            "line": line,
            "sku": f"sku-{line}",
            "quantity": units,
            "unit_price": price,
        }
        for line, units, price in ((1, 2, Decimal("5.00")), (2, 1, Decimal("2.50")))
    ]
    return WholeOrder(row, items, [{"id": number, "order_id": number, "version": 1, "type": "created", "at": at}])
