"""Orders of the shop's database that a round can corrupt, whole: row, items and events."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from lakeproof.bench.corruption.kind import Looking, picked

INVENTED_IDS = 700_000_000


@dataclass(frozen=True)
class WholeOrder:
    """An order with all that belongs to it; `key` is what the check must name."""

    row: dict[str, Any]
    items: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def key(self) -> str:
        """Its client key."""
        return str(self.row["client_key"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What it has in that table."""
        return {"orders": [self.row], "order_items": self.items, "order_events": self.events}[table]


def some_order(look: Looking, rng: Random, having: str = "1 = 1") -> WholeOrder:
    """An order that fits a condition. Raises: NothingToPlantOn."""
    ids = [row["id"] for row in look.mariadb(f"SELECT id FROM oltp.orders o WHERE {having} ORDER BY id")]
    return order_of(look, picked(rng, ids, f"order with {having}"))


def order_of(look: Looking, id_: int) -> WholeOrder:
    """The order of that number."""
    (row,) = look.mariadb(f"SELECT * FROM oltp.orders WHERE id = {id_}")
    items = look.mariadb(f"SELECT * FROM oltp.order_items WHERE order_id = {id_} ORDER BY id")
    events = look.mariadb(f"SELECT * FROM oltp.order_events WHERE order_id = {id_} ORDER BY version")
    return WholeOrder(row, items, events)


def invented(rng: Random, *, id_: int | None = None) -> WholeOrder:
    """A consistent order that no shopper ever asked for, with numbers far above the shop's (or that one)."""
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
