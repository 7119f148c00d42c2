"""A small shop of which every claim holds, and what changes one thing of it."""

from dataclasses import replace
from decimal import Decimal

from lakeproof_shop.customers.kept import PreferenceFact, ToldFact
from lakeproof_shop.customers.ledger import PurchaseFact
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import (
    ActFact,
    AttachmentFact,
    ChangesFact,
    CheckoutFact,
    DeliveryFact,
    OutboxFact,
    ParcelFact,
    PaymentFact,
    Receipt,
    ReservedLine,
    ShopFacts,
    Store,
    TimelineFact,
)
from lakeproof_shop.services.checkout.models import restock_key
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals
from lakeproof_shop.services.inventory.models import receipt_id

MONEY = Decimal("12.30")
BYTES = 120


def parcel(id_: int, order_id: int, status: str, late_seconds: float = 0.0) -> ParcelFact:
    return ParcelFact(id_, order_id, status, status, late_seconds=late_seconds, label_bytes=BYTES)


NOTHING = Decimal("0.00")
TWO_OF_S = (("s", 2),)
BOUGHT = CheckoutFact("a", "done", 0.0, 1, 11, "r1", "paid", MONEY, items=TWO_OF_S)
FAILED = CheckoutFact("b", "failed", 0.0, 2, 18, "r2", "cancelled", MONEY, items=TWO_OF_S)
OPEN = CheckoutFact("c", "capture", 5.0, 3, 13, "r3", "created", MONEY, items=(("s", 1),))
CANCELLED = CheckoutFact("d", "cancelled", 0.0, 4, 14, "r4", "cancelled", MONEY, items=TWO_OF_S, back=TWO_OF_S)
RETURNED = CheckoutFact("e", "returned", 0.0, 5, 15, "r5", "returned", MONEY, items=TWO_OF_S, back=TWO_OF_S)
BACK = tuple(Receipt(str(receipt_id(restock_key(key, 0))), "s", 2) for key in "de")
ENTRY, OLD = ("t1", "order", "order.paid", 1), ("t0", "order", "order.created", 1)
FILE = AttachmentFact(42, 31, "archive", 4, "def", 4, "def")
TIMELINE = TimelineFact(31, 1, (OLD, ENTRY), (OLD, ENTRY))
PAID = PaymentFact(11, 1, "captured", MONEY, NOTHING, MONEY, NOTHING)
LABELS = {"ready/21": BYTES, "ready/25": BYTES}
IN_ORDER = ShopFacts(
    purchases=(
        PurchaseFact("a", 1, "paid"),
        PurchaseFact("b", 2, "cancelled"),
        PurchaseFact("d", 4, "cancelled"),
        PurchaseFact("e", 5, "returned"),
    ),
    checkouts=(BOUGHT, FAILED, OPEN, CANCELLED, RETURNED),
    payments=(
        PAID,
        PaymentFact(18, 2, "voided", NOTHING, NOTHING, NOTHING, NOTHING),
        PaymentFact(13, 3, "authorized", NOTHING, NOTHING, NOTHING, NOTHING),
        PaymentFact(14, 4, "refunded", MONEY, MONEY, MONEY, MONEY),
        PaymentFact(15, 5, "refunded", MONEY, MONEY, MONEY, MONEY),
    ),
    parcels=(parcel(21, 1, "shipped"), parcel(24, 4, "cancelled"), parcel(25, 5, "returned")),
    labels=LABELS,
    outboxes=(OutboxFact("payment", 2, 0.5),),
    deliveries=(DeliveryFact("payment", 9, 0, 0, ()),),
    changes=(ChangesFact("payment", 9, 0, 0, ()),),
    attachments=(AttachmentFact(41, 31, "local", 3, "abc", 3, "abc"), FILE),
    all_attachments=2,
    steady=frozenset({"s"}),
    young=frozenset({"s"}),
    totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, 9),),
    sums={"s": (LineSum("received", 1, 10), LineSum("sold", 1, 2), LineSum("held", 1, 1), LineSum("released", 1, 2))},
    lines=(
        ReservedLine("r1", "s", "sold", 2),
        ReservedLine("r2", "s", "released", 2),
        ReservedLine("r3", "s", "held", 1),
        ReservedLine("r4", "s", "sold", 2),
        ReservedLine("r5", "s", "sold", 2),
    ),
    receipts=BACK,
    acts=(
        ActFact("e1", "payment.captured", True, None, True),
        ActFact("e2", "status.shipped", True, "invalid_payload", False),
    ),
    timelines=(TIMELINE,),
    told=(ToldFact("k1", 31, (31,)), ToldFact("k2", None, ()), ToldFact("k3", None, (32,)), ToldFact("k4", 0, ())),
    preferences=(
        PreferenceFact(7, 2, ("order/email",), 2, "order/email"),
        PreferenceFact(8, 1, ("",), 2, "x", ("x",)),
    ),
    there=frozenset(Store),
)
PAYMENTS = IN_ORDER.payments or ()


def with_checkouts(*changed: CheckoutFact) -> ShopFacts:
    keys = {one.key for one in changed}
    return replace(IN_ORDER, checkouts=(*(one for one in IN_ORDER.checkouts or () if one.key not in keys), *changed))


def with_payments(id_: int, **changes: object) -> ShopFacts:
    payments = [
        replace(one, **changes) if one.id == id_ else one  # type: ignore[arg-type]
        for one in IN_ORDER.payments or ()
    ]
    return replace(IN_ORDER, payments=tuple(payments))


def with_payment(**changes: object) -> ShopFacts:
    return with_payments(11, **changes)


def with_parcels(*more: ParcelFact, without: int = 0) -> ShopFacts:
    return replace(IN_ORDER, parcels=(*(one for one in IN_ORDER.parcels or () if one.id != without), *more))


def claims_broken_by(facts: ShopFacts) -> set[str]:
    """Their names."""
    return {name for name, judge in CLAIMS.items() if judge(facts)}
