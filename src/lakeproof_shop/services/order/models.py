"""An order as everybody in Lakeproof sees it: the service returns it, the shopper writes it into the ledger.

Money is a decimal string at scale 2 ("12.30"), times are ISO 8601 in UTC with microseconds
("2026-11-24T14:43:53.042722Z"): equal values stay equal texts, whatever systems they went through.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where an order stands."""

    CREATED = "created"
    PAID = "paid"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class Op(StrEnum):
    """What a shopper can do to an order; `return` only by way of its checkout."""

    CREATE = "create"
    PAY = "pay"
    CHANGE = "change"
    CANCEL = "cancel"
    RETURN = "return"
    DELETE = "delete"

    @property
    def event(self) -> str:
        """The `type` of the row in order_events."""
        return _EVENTS[self]

    @property
    def allowed_from(self) -> frozenset[Status]:
        """The statuses of an order in which the shop accepts the operation; none for `create`."""
        return _ALLOWED_FROM[self]

    def status_after(self, before: Status) -> Status:
        """The order's status after the operation (a deleted order keeps its last status)."""
        return _STATUS_AFTER.get(self, before)


_EVENTS = {
    Op.CREATE: "created",
    Op.PAY: "paid",
    Op.CHANGE: "changed",
    Op.CANCEL: "cancelled",
    Op.RETURN: "returned",
    Op.DELETE: "deleted",
}
_ALLOWED_FROM = {
    Op.CREATE: frozenset[Status](),
    Op.PAY: frozenset({Status.CREATED}),
    Op.CHANGE: frozenset({Status.CREATED}),
    Op.CANCEL: frozenset({Status.CREATED, Status.PAID}),
    Op.RETURN: frozenset({Status.PAID}),
    Op.DELETE: frozenset(Status),
}
_STATUS_AFTER = {
    Op.CREATE: Status.CREATED,
    Op.PAY: Status.PAID,
    Op.CANCEL: Status.CANCELLED,
    Op.RETURN: Status.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order. `id` is None where only the shop knows it."""

    id: int | None
    line: int
    sku: str
    quantity: int
    unit_price: str


@dataclass(frozen=True, slots=True)
class Order:
    """One order at one version. `id` and the times are None where only the shop knows them."""

    id: int | None
    client_key: str
    customer_id: int
    status: str
    total: str
    item_count: int
    version: int
    created_at: str | None
    updated_at: str | None
    items: tuple[Item, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Order":
        """From the JSON of the service or of the ledger. Raises: KeyError, TypeError for another shape."""
        return cls(
            id=data["id"],
            client_key=data["client_key"],
            customer_id=data["customer_id"],
            status=data["status"],
            total=data["total"],
            item_count=data["item_count"],
            version=data["version"],
            created_at=data["created_at"],
            updated_at=data["updated_at"],
            items=tuple(
                Item(item["id"], item["line"], item["sku"], item["quantity"], item["unit_price"])
                for item in data["items"]
            ),
        )

    def describes(self, other: "Order") -> bool:
        """True where `other` has every value that is known here; None here means unknown, not NULL."""
        return (
            (self.client_key, self.customer_id, self.status, self.total, self.item_count, self.version)
            == (other.client_key, other.customer_id, other.status, other.total, other.item_count, other.version)
            and self.id in (None, other.id)
            and self.created_at in (None, other.created_at)
            and self.updated_at in (None, other.updated_at)
            and len(self.items) == len(other.items)
            and all(
                mine.id in (None, theirs.id)
                and (mine.line, mine.sku, mine.quantity, mine.unit_price)
                == (theirs.line, theirs.sku, theirs.quantity, theirs.unit_price)
                for mine, theirs in zip(
                    sorted(self.items, key=lambda item: item.line),
                    sorted(other.items, key=lambda item: item.line),
                    strict=True,
                )
            )
        )

    def differences(self, other: "Order") -> str:
        """In words, each value that is known here and differs in `other`."""
        mine, theirs = self._values(), other._values()
        return ", ".join(
            f"{name} {mine.get(name, 'none')} → {theirs.get(name, 'none')}"
            for name in dict.fromkeys((*mine, *theirs))
            if mine.get(name, "none") not in (None, theirs.get(name, "none"))
        )

    def _values(self) -> dict[str, Any]:
        """Each value by its column's name; an item's values by "line N column"."""
        columns = {name: value for name, value in asdict(self).items() if name != "items"}
        return columns | {
            f"line {item.line} {name}": value
            for item in sorted(self.items, key=lambda item: item.line)
            for name, value in asdict(item).items()
            if name != "line"
        }
