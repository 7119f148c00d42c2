"""What the shop's stores hold, as the claims need it: values only. Money is Decimal at scale 2."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from lakeproof.shop.inventory.audit import LineSum, SkuTotals


class Store(StrEnum):
    """Where the facts lie, by the component's name."""

    ORDERS = "mysql"
    SHOP = "postgres"
    STOCK = "cassandra-seed"


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A checkout and the order it made (None: none, or deleted). `age_seconds`: since it began."""

    key: str
    step: str
    age_seconds: float
    order_id: int | None
    payment_id: int | None
    reservation_id: str | None
    order_status: str | None
    order_total: Decimal | None


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A payment; `captured_by_events` and `refunded_by_events` are sums over its append-only history."""

    id: int
    order_id: int
    status: str
    captured: Decimal
    refunded: Decimal
    captured_by_events: Decimal
    refunded_by_events: Decimal

    @property
    def kept(self) -> Decimal:
        """What the shop has of it."""
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class ParcelFact:
    """A fulfillment."""

    id: int
    order_id: int
    status: str


@dataclass(frozen=True, slots=True)
class OutboxFact:
    """A service's events: how many wait for Kafka, the oldest of them so many seconds."""

    service: str
    unsent: int
    oldest_unsent_seconds: float


@dataclass(frozen=True, slots=True)
class ReservedLine:
    """A reservation's claim on one SKU."""

    reservation_id: str
    sku: str
    state: str
    quantity: int


@dataclass(frozen=True)
class ShopFacts:
    """All of it; a store that is not part of the stack left its fields None.

    steady: SKUs that did not change while their lines were read; only theirs can be compared with their totals.
    """

    checkouts: tuple[CheckoutFact, ...] | None = None
    payments: tuple[PaymentFact, ...] | None = None
    parcels: tuple[ParcelFact, ...] | None = None
    outboxes: tuple[OutboxFact, ...] | None = None
    totals: tuple[SkuTotals, ...] | None = None
    sums: dict[str, tuple[LineSum, ...]] | None = None
    steady: frozenset[str] = frozenset()
    lines: tuple[ReservedLine, ...] | None = None
