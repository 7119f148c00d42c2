"""What the shop's stores hold, as the claims need to know it. Values only; money is a Decimal at scale 2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from lakeproof_shop.customers.kept import PreferenceFact, ToldFact
from lakeproof_shop.customers.ledger import PurchaseFact
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals

# An event must be acted on within ACT_SECONDS after it was sent. Only events of the last ACTS_WITHIN_SECONDS count.
ACT_SECONDS, ACTS_WITHIN_SECONDS = 120.0, 3600.0

# One text for each thing that breaks a claim: "subject: detail".
type Violations = list[str]


class Store(StrEnum):
    """Where facts lie; the value is the component's name."""

    ORDERS = "mysql"
    SHOP = "postgres"
    STOCK = "cassandra-seed"
    NOTIFIER = "notification-service"  # acts on the events of other services; what it did stands in SHOP
    LABELS = "minio"
    EVENTS = "kafka"
    SUPPORT = "support-service"  # asked over HTTP, as its users do
    # The sources of support's timelines.
    ORDERING = "order-service"
    PAYING = "payment-service"
    SENDING = "fulfillment-service"  # and ships what waits
    SHELVING = "inventory-service"  # ends what is held past its time, in STOCK


class Part(StrEnum):
    """A part of the facts that is read on its own."""

    PURCHASES = "purchases"  # from the ledgers
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
    """What a look reads.

    parts: only these parts.
    checkouts, orders, payments: only these, with what belongs to them; None: all.
    cases, attachments, events: a look reads only a sample of these; those named here are read in any case.
    """

    parts: frozenset[Part] = frozenset(Part)
    checkouts: frozenset[str] | None = None
    orders: frozenset[int] | None = None
    payments: frozenset[int] | None = None
    cases: frozenset[int] = frozenset()
    attachments: frozenset[int] = frozenset()
    events: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A checkout and its order. The order's fields are None where no order was made, or the order was deleted.

    age_seconds: since the checkout began. open_seconds: since the checkout began, or since the buyer last asked to
    cancel or return the purchase. items: (sku, units) of each line, as the buyer asked for them; the goods of a line
    come in again once, or not at all.
    back: those of the items that must have come in again; empty where the goods stay sold.
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
    items: tuple[tuple[str, int], ...] = ()
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
        """The money of this payment that the shop still has."""
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class ParcelFact:
    """A fulfillment.

    by_events: the status by its newest event; events that set or call off a hold do not count.
    late_seconds: for how long the parcel could have been shipped. This counts from the latest of three times: when
    the parcel was asked for, when its hold ends, and when a hold was last set or called off. Below 0: the parcel is
    held.
    has_work: the worker is not done with the parcel.
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
    """How many of a service's events wait to be sent to Kafka, and how long the oldest of them has waited."""

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
    """How many events of a service that are marked as sent were looked for in its topic, and which are missing there.

    beyond: events that were not looked for, since there are too many. gone: events that are older than what the topic
    keeps.
    gaps: events that the sender itself lost, in words.
    """

    service: str
    asked: int
    beyond: int
    gone: int
    missing: tuple[MissingEvent, ...]
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangesFact:
    """How many rows a service's history has, and which of them (untold) have no event ("ID TYPE VERSION" each).

    beyond: rows without an event in the outbox that were not looked for, since there are too many. gone: rows that
    are older than what the topic keeps.
    """

    service: str
    rows: int
    beyond: int
    gone: int
    untold: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReservedLine:
    """The units of one SKU that a reservation holds. overdue_seconds: since its end; negative before it."""

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
    """An event that was sent a while ago, of a type that customers are notified about.

    consumed: the notification service has taken the event. dropped: the reason why nobody is notified; None: there is
    none. notified: there is a notification for the event.
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
    """An attachment: size in bytes and sha256 by its row, and of the file itself (-1 and "": there is no file)."""

    id: int
    case_id: int
    place: str
    size: int
    sha256: str
    found_size: int
    found_sha256: str


@dataclass(frozen=True)
class ShopFacts:
    """All facts of one look. The fields of a store are None where the store is not part of the stack or did not
    answer.

    unknown: what could not be read, and why; a claim that needs such a part cannot be judged.
    there: the stores that are part of the stack. Where a worker is not, nobody ends what an earlier stack left
    waiting.
    only_ours: True where every payment and parcel is for one of the shop's own checkouts; False in a stack that
    others use too.
    labels: the sizes in bytes of the objects under ready/, by key.
    cases, all_attachments: how many there are; `seed` decides which of them were looked at.
    steady: SKUs that did not change while their lines were read. Only of these can lines be compared with totals.
    young: SKUs whose first event is still kept. Lines and receipts are kept for longer, so all of theirs are there
    too.
    """

    purchases: tuple[PurchaseFact, ...] | None = None
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
