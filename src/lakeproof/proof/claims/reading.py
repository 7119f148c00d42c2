"""Reads the facts, each store by its account that only reads. What does not answer is told, the rest is read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from lakeproof.customers.contacts import read_contacts
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.proof.claims.facts import (
    CheckoutFact,
    OutboxFact,
    ParcelFact,
    Part,
    PaymentFact,
    Receipt,
    ReservedLine,
    Scope,
    ShopFacts,
    Store,
)
from lakeproof.proof.claims.reading_acts import read_acts
from lakeproof.proof.claims.reading_attachments import read_attachments
from lakeproof.proof.claims.reading_changes import read_changes
from lakeproof.proof.claims.reading_contacts import read_told
from lakeproof.proof.claims.reading_deliveries import OUTBOXES, read_deliveries
from lakeproof.proof.claims.reading_labels import read_labels
from lakeproof.proof.claims.reading_service import read_timelines
from lakeproof.proof.claims.ring import ring_rows
from lakeproof.services.database.rows import READ_SECONDS, rows_of
from lakeproof.shop.inventory.audit import LineSum, SkuTotals
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack

_CHECKOUTS = """
SELECT c.checkout_key, c.step,
       TIMESTAMPDIFF(MICROSECOND, c.created_at, UTC_TIMESTAMP(6)) / 1000000,
       c.order_id, c.payment_id, c.reservation_id, o.status, o.total,
       TIMESTAMPDIFF(MICROSECOND, COALESCE(c.asked_at, c.created_at), UTC_TIMESTAMP(6)) / 1000000,
       JSON_LENGTH(c.request, '$.items'),
       CASE WHEN c.step IN ('cancelled', 'returned') OR (c.step = 'failed' AND c.sold) THEN c.request END
FROM oltp.checkouts c LEFT JOIN oltp.orders o ON o.id = c.order_id
"""
_PAYMENTS = """
SELECT p.id, p.order_id, p.status, p.captured, p.refunded,
       COALESCE(SUM(e.amount) FILTER (WHERE e.type = 'captured'), 0.00) AS captured_by_events,
       COALESCE(SUM(e.amount) FILTER (WHERE e.type = 'refunded'), 0.00) AS refunded_by_events
FROM payments p LEFT JOIN payment_events e ON e.payment_id = p.id
WHERE $1::bigint[] IS NULL OR p.order_id = ANY($1) OR p.id = ANY($2) GROUP BY p.id
"""
_PARCELS = """
SELECT f.id, f.order_id, f.status,
       (array_agg(e.type ORDER BY e.version DESC) FILTER (WHERE e.type <> 'held'))[1] AS by_events,
       f.version, COALESCE(max(e.version), 0) AS events_version,
       clock_timestamp() AS now, f.requested_at, f.hold_until,
       max(e.at) FILTER (WHERE e.type = 'held') AS held_at,
       f.label_bytes, f.has_work
FROM fulfillments f LEFT JOIN fulfillment_events e ON e.fulfillment_id = f.id
WHERE $1::bigint[] IS NULL OR f.order_id = ANY($1) GROUP BY f.id
"""
_TOTALS = "SELECT DISTINCT sku, version, received, sold, reserved, active, events, sent FROM inventory.stock"
_LINES = (
    "SELECT sku, id, kind, state, quantity, expires_at FROM inventory.stock WHERE kind = '{kind}' ALLOW FILTERING"
)
# A SKU's events have numbers without a gap from 1 on, and each change writes one.
_FIRST_EVENTS = "SELECT sku FROM inventory.stock WHERE kind = 'event' AND n = 1 ALLOW FILTERING"
_OF_TIMELINES = {Store.SUPPORT, Store.ORDERS, Store.ORDERING, Store.PAYING, Store.SENDING}
_OUTBOX = """
SELECT count(*) AS unsent,
       COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(created_at)), 0) AS oldest
FROM outbox WHERE sent_at IS NULL
"""


def read_facts(
    stack: Stack,
    stores: Iterable[Store],
    scope: Scope,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> ShopFacts:
    """What of `scope` those stores hold now; what could not be read is in its `unknown`. seed: which part is looked
    at of what is looked at in part. progress: told while a part takes long.

    Orders and checkouts last: what they say is true then was true before elsewhere.
    """
    there = set(stores)
    found, unknown, away = dict[str, Any](), dict[Part, str](), dict[str, str]()
    for one in _readers(stack, there, scope, seed, progress):
        if one.part not in scope.parts or not there >= one.stores:
            continue
        # A store that did not answer is not waited for again.
        reason = next((away[store] for store in sorted(one.stores) if store in away), None)
        if reason is None:
            try:
                found |= one.read()
                continue
            except (CouldNotLook, InvalidInput) as error:  # also: an account that nobody gave, rubbish in a ledger
                reason = away[error.where] = error.message
        unknown[one.part] = reason
    return ShopFacts(**found, unknown=unknown, there=frozenset(there))


@dataclass(frozen=True)
class _Reader:
    """Reads a part, where these stores are part of the stack: fields of the facts. `read` raises: CouldNotLook."""

    part: Part
    stores: frozenset[Store]
    read: Callable[[], dict[str, Any]]


def _readers(
    stack: Stack, there: set[Store], scope: Scope, seed: int, progress: Callable[[str], None]
) -> tuple[_Reader, ...]:
    shop, orders = frozenset({Store.SHOP}), None if scope.orders is None else sorted(scope.orders)
    # What customers told: anew at every look, for they go on telling.
    contacts = shop | ({Store.SUPPORT} if Store.SUPPORT in there else {Store.NOTIFIER})
    return (
        # First, for it takes longest: what is compared with each other is read at nearly one time.
        _Reader(Part.ATTACHMENTS, shop | {Store.SUPPORT}, lambda: read_attachments(stack, there, seed, progress)),
        _Reader(Part.CHANGES, shop | ({Store.EVENTS} & there), lambda: {"changes": read_changes(stack, there)}),
        _Reader(Part.STOCK, frozenset({Store.STOCK}), lambda: _stock(stack)),
        _Reader(Part.OUTBOXES, shop, lambda: {"outboxes": _outboxes(stack)}),
        _Reader(
            Part.PAYMENTS,
            shop,
            lambda: {
                "payments": _payments(stack, orders, sorted(scope.payments or ())),
                "only_ours": stack.settings.ledger_is_whole,
            },
        ),
        _Reader(Part.PARCELS, shop, lambda: {"parcels": _parcels(stack, orders)}),
        # After them: the label of what was shipped then lies there now.
        _Reader(Part.LABELS, shop | {Store.LABELS}, lambda: {"labels": read_labels(stack)}),
        _Reader(
            Part.DELIVERIES,
            frozenset({Store.EVENTS}) | ({Store.SHOP, Store.STOCK} & there),
            lambda: {"deliveries": read_deliveries(stack, there, seed)},
        ),
        _Reader(Part.ACTS, shop | {Store.NOTIFIER}, lambda: {"acts": read_acts(stack)}),
        _Reader(
            Part.CONTACTS,
            contacts,
            lambda: read_told(stack, read_contacts(stack.ledger_dir), there),
        ),
        _Reader(Part.TIMELINES, shop | _OF_TIMELINES, lambda: read_timelines(stack, seed)),
        _Reader(
            Part.CHECKOUTS,
            frozenset({Store.ORDERS}),
            lambda: {"checkouts": _checkouts(stack, scope.checkouts, scope.orders)},
        ),
    )


def _checkouts(stack: Stack, keys: frozenset[str] | None, orders: frozenset[int] | None) -> tuple[CheckoutFact, ...]:
    """Those keys' and those orders' (both None: all). Raises: CouldNotLook."""
    import pymysql

    try:
        with (
            mysql.connect(stack, "reader", "mysql-reader", READ_SECONDS) as connection,
            connection.cursor() as cursor,
        ):
            if keys is None:
                cursor.execute(_CHECKOUTS)
            else:
                # An empty list is no SQL; no checkout has an empty key, no order the number 0.
                named = (sorted(keys) or [""], sorted(orders or ()) or [0])
                cursor.execute(f"{_CHECKOUTS} WHERE c.checkout_key IN %s OR c.order_id IN %s", named)
            return tuple(_checkout(*row) for row in cursor.fetchall())
    except pymysql.MySQLError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=Store.ORDERS.value) from error


def _checkout(key: str, step: str, age: Any, *more: Any) -> CheckoutFact:
    order_id, payment_id, reservation_id, status, total, open_seconds, lines, request = more
    return CheckoutFact(
        *(key, step, float(age), order_id, payment_id, reservation_id, status, total),
        open_seconds=float(open_seconds),
        lines=int(lines),
        back=_lines_of(request),
    )


def _lines_of(request: str | None) -> tuple[tuple[str, int], ...]:
    return tuple((item["sku"], item["quantity"]) for item in orjson.loads(request)["items"]) if request else ()


def _outboxes(stack: Stack) -> tuple[OutboxFact, ...]:
    found = []
    for service in OUTBOXES:
        ((unsent, oldest),) = rows_of(stack, service, _OUTBOX)
        found.append(OutboxFact(service, int(unsent), float(oldest)))
    return tuple(found)


def _payments(stack: Stack, orders: list[int] | None, ids: list[int]) -> tuple[PaymentFact, ...]:
    return tuple(PaymentFact(*row) for row in rows_of(stack, "payment", _PAYMENTS, orders, ids))


def _parcels(stack: Stack, orders: list[int] | None) -> tuple[ParcelFact, ...]:
    return tuple(_parcel(*row) for row in rows_of(stack, "fulfillment", _PARCELS, orders))


def _parcel(id_: int, order_id: int, status: str, *more: Any) -> ParcelFact:
    by_events, version, events_version, now, requested_at, hold_until, held_at, label_bytes, has_work = more
    # A hold that is called off leaves no end of its own, but an event, as a new hold does.
    since = max(at for at in (requested_at, hold_until, held_at) if at is not None)
    return ParcelFact(
        *(id_, order_id, status, by_events, version, events_version),
        late_seconds=(now - since).total_seconds(),
        label_bytes=label_bytes,
        has_work=has_work,
    )


def _stock(stack: Stack) -> dict[str, Any]:
    with ring_rows(stack) as rows:
        skus = list(rows(_TOTALS))
        lines = [row for kind in ("line", "receipt") for row in rows(_LINES.format(kind=kind))]
        young = frozenset(row[0] for row in rows(_FIRST_EVENTS))
        again = {row[0]: row[1] for row in rows("SELECT DISTINCT sku, version FROM inventory.stock")}
    now = datetime.now(UTC)
    totals = tuple(SkuTotals(row[0], *(int(value or 0) for value in row[1:])) for row in skus)
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for sku, _, _, state, quantity, _ in lines:
        many, units = counted.get((sku, state), (0, 0))
        counted[sku, state] = (many + 1, units + int(quantity or 0))
    sums: dict[str, tuple[LineSum, ...]] = {}
    for (sku, state), (many, units) in counted.items():
        sums[sku] = (*sums.get(sku, ()), LineSum(state, many, units))
    held = tuple(
        ReservedLine(str(id_), sku, state, int(quantity or 0), _seconds_since(expires_at, now))
        for sku, id_, kind, state, quantity, expires_at in lines
        if kind == "line"
    )
    receipts = tuple(Receipt(str(row[1]), row[0], int(row[4] or 0)) for row in lines if row[2] == "receipt")
    steady = frozenset(one.sku for one in totals if int(again.get(one.sku) or 0) == one.version)
    return {
        "totals": totals,
        "sums": sums,
        "lines": held,
        "receipts": receipts,
        "steady": steady,
        "young": young,
    }


def _seconds_since(at: datetime | None, now: datetime) -> float:
    """Of a time as the driver gives it: UTC without a zone. None, which no held line has: for ever not yet."""
    return float("-inf") if at is None else (now - at.replace(tzinfo=UTC)).total_seconds()
