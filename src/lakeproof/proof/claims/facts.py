"""What the shop's stores hold, as the claims need it: values only. Money is Decimal at scale 2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from lakeproof.customers.kept import PreferenceFact, ToldFact
from lakeproof.shop.inventory.audit import LineSum, SkuTotals

# Events are acted on so long after they were sent; those of the last hour are looked at.
ACT_SECONDS, ACTS_WITHIN_SECONDS = 120.0, 3600.0

type Broken = list[str]


class Store(StrEnum):
    """Where the facts lie, by the component's name."""

    ORDERS = "mysql"
    SHOP = "postgres"
    STOCK = "cassandra-seed"
    NOTIFIER = "notification-service"  # acts on others' events, which stand in SHOP
    LABELS = "minio"
    EVENTS = "kafka"
    SUPPORT = "support-service"  # asked over HTTP, as its users do
    # What support's timelines come from.
    ORDERING = "order-service"
    PAYING = "payment-service"
    SENDING = "fulfillment-service"  # and ships what waits
    SHELVING = "inventory-service"  # ends what is held past its time, in STOCK


class Part(StrEnum):
    """What can be read on its own."""

    CHECKOUTS = "checkouts"
    PAYMENTS = "payments"
    PARCELS = "parcels"
    LABELS = "labels"
    OUTBOXES = "outboxes"
    DELIVERIES = "deliveries"
    STOCK = "stock"
    ACTS = "acts"
    TIMELINES = "timelines"
    CONTACTS = "contacts"
    ATTACHMENTS = "attachments"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a look reads: these parts; of checkouts and what belongs to them only those named (None: all)."""

    parts: frozenset[Part] = frozenset(Part)
    checkouts: frozenset[str] | None = None
    orders: frozenset[int] | None = None
    payments: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A checkout and the order it made (None: none, or deleted). `age_seconds`: since it began.

    open_seconds: since it began, or since it was last asked to be cancelled or returned.
    lines: how many it has; of each the goods come in again once, or not at all.
    back: what must have come in again, (sku, units) by line; of what was sold and stays sold, nothing.
    """

    key: str
    step: str
    age_seconds: float
    order_id: int | None
    payment_id: int | None
    reservation_id: str | None
    order_status: str | None
    order_total: Decimal | None
    open_seconds: float = 0.0
    lines: int = 1
    back: tuple[tuple[str, int], ...] = ()


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
    """A fulfillment.

    by_events: the status that its newest event but for holds says. late_seconds: since it could be shipped, the
    newest of when it was asked for, its hold's end, and when its hold was set or called off; below 0: it is held.
    has_work: its worker is not done with it.
    """

    id: int
    order_id: int
    status: str
    by_events: str | None
    version: int = 1
    events_version: int = 1
    late_seconds: float = 0.0
    label_bytes: int = 0
    has_work: bool = False


@dataclass(frozen=True, slots=True)
class OutboxFact:
    """A service's events: how many wait for Kafka, the oldest of them so many seconds."""

    service: str
    unsent: int
    oldest_unsent_seconds: float


@dataclass(frozen=True, slots=True)
class MissingEvent:
    """An event that its sender marked as sent, and that its topic does not have."""

    service: str
    event_id: str


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """What was sent by a service, and of it what its topic was asked for.

    beyond: more than is asked for at once. gone: of so old a time that its topic does not keep it any more.
    """

    service: str
    asked: int
    beyond: int
    gone: int
    missing: tuple[MissingEvent, ...]


@dataclass(frozen=True, slots=True)
class ChangesFact:
    """A service's rows of history, and those of which no event tells ("ID TYPE VERSION" each).

    beyond: more rows without an event in the outbox than are looked for. gone: so old that no topic keeps the event.
    """

    service: str
    rows: int
    beyond: int
    gone: int
    untold: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReservedLine:
    """A reservation's claim on one SKU. overdue_seconds: since its time was over; below 0: it has that long."""

    reservation_id: str
    sku: str
    state: str
    quantity: int
    overdue_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that came in."""

    id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ActFact:
    """An event that was sent a while ago and that customers are told of.

    consumed: its consumer has it. dropped: why nobody is told. notified: there is a notification of it.
    """

    event_id: str
    type: str
    consumed: bool
    dropped: str | None
    notified: bool


@dataclass(frozen=True, slots=True)
class TimelineFact:
    """A case's timeline, as its users see it, and what the stores hold: (at, source, type, id) each, in order."""

    case_id: int
    order_id: int
    shown: tuple[tuple[str, str, str, int], ...]
    held: tuple[tuple[str, str, str, int], ...]


@dataclass(frozen=True, slots=True)
class AttachmentFact:
    """An attachment: bytes and sha256 as its row says, and as they are where it lies (-1 and "": it is not there)."""

    id: int
    case_id: int
    place: str
    size: int
    sha256: str
    found_size: int
    found_sha256: str


@dataclass(frozen=True)
class ShopFacts:
    """All of it; a store that is not part of the stack left its fields None, and so did one that did not answer.

    unknown: what could not be read, and why; a claim that needs it cannot be judged.
    there: the stores that are part of the stack. What an earlier stack left waits for ever where nobody is to end it.
    only_ours: every payment is for one of the shop's checkouts; not so in a stack that others use too.
    labels: bytes by key, of what lies under ready/. cases, all_attachments: how many could be asked for; `seed` says
    which of them were.
    steady: SKUs that did not change while their lines were read; only theirs can be compared with their totals.
    young: SKUs whose first event is still kept, and so is every line and receipt: those are kept for longer.
    """

    checkouts: tuple[CheckoutFact, ...] | None = None
    payments: tuple[PaymentFact, ...] | None = None
    only_ours: bool = True
    parcels: tuple[ParcelFact, ...] | None = None
    labels: Mapping[str, int] | None = None
    outboxes: tuple[OutboxFact, ...] | None = None
    deliveries: tuple[DeliveryFact, ...] | None = None
    changes: tuple[ChangesFact, ...] | None = None
    totals: tuple[SkuTotals, ...] | None = None
    sums: dict[str, tuple[LineSum, ...]] | None = None
    steady: frozenset[str] = frozenset()
    young: frozenset[str] = frozenset()
    lines: tuple[ReservedLine, ...] | None = None
    receipts: tuple[Receipt, ...] | None = None
    acts: tuple[ActFact, ...] | None = None
    timelines: tuple[TimelineFact, ...] | None = None
    cases: int = 0
    attachments: tuple[AttachmentFact, ...] | None = None
    all_attachments: int = 0
    seed: int = 0
    told: tuple[ToldFact, ...] | None = None
    preferences: tuple[PreferenceFact, ...] | None = None
    unknown: Mapping[Part, str] = field(default_factory=dict)
    there: frozenset[Store] = frozenset()
