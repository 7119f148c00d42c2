"""Reads the facts, from each store by an account that only reads. Where a store does not answer, the reason is noted,
and the others are read all the same.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.stack.database_rows import mysql_rows, rows_of
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import read_contacts
from lakeproof_shop.customers.ledger import PurchaseFact, read_purchases
from lakeproof_shop.proof.claims.facts import (
    CheckoutFact,
    OutboxFact,
    ParcelFact,
    Part,
    PaymentFact,
    Scope,
    ShopFacts,
    Store,
)
from lakeproof_shop.proof.claims.reading_acts import read_acts
from lakeproof_shop.proof.claims.reading_attachments import read_attachments
from lakeproof_shop.proof.claims.reading_changes import read_changes
from lakeproof_shop.proof.claims.reading_contacts import read_told
from lakeproof_shop.proof.claims.reading_deliveries import OUTBOXES, read_deliveries
from lakeproof_shop.proof.claims.reading_labels import read_labels
from lakeproof_shop.proof.claims.reading_service import read_timelines
from lakeproof_shop.proof.claims.reading_stock import read_stock

log = logging.getLogger(__name__)

_CHECKOUTS = """
SELECT c.checkout_key, c.step,
       TIMESTAMPDIFF(MICROSECOND, c.created_at, UTC_TIMESTAMP(6)) / 1000000,
       c.order_id, c.payment_id, c.reservation_id, o.status, o.total,
       TIMESTAMPDIFF(MICROSECOND, COALESCE(c.asked_at, c.created_at), UTC_TIMESTAMP(6)) / 1000000,
       JSON_EXTRACT(c.request, '$.items'),
       c.step IN ('cancelled', 'returned') OR (c.step = 'failed' AND c.sold)
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
    """What these stores hold of `scope` now; what could not be read is in `unknown` of the facts.

    seed: decides which sample is looked at where not everything is. progress: is told while a part takes long.
    Orders and checkouts are read last: a step that they show had happened in the other stores by then.
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
            except Exception as error:  # a spoilt row, which must not hide the other parts
                log.exception("%s could not be read", one.part)
                reason = f"{one.part}: not read: {type(error).__name__}: {error}"
        unknown[one.part] = reason
    return ShopFacts(**found, only_ours=stack.settings.ledger_is_whole, unknown=unknown, there=frozenset(there))


@dataclass(frozen=True)
class _Reader:
    """How one part is read, where these stores are part of the stack. `read` gives fields of the facts, and raises
    CouldNotLook.
    """

    part: Part
    stores: frozenset[Store]
    read: Callable[[], dict[str, Any]]


def _readers(
    stack: Stack, there: set[Store], scope: Scope, seed: int, progress: Callable[[str], None]
) -> tuple[_Reader, ...]:
    shop, orders = frozenset({Store.SHOP}), None if scope.orders is None else sorted(scope.orders)
    # The contacts are read anew, and whole, at every look, since customers go on telling.
    contacts = shop | ({Store.SUPPORT} if Store.SUPPORT in there else {Store.NOTIFIER})
    return (
        # Attachments come first, since they take longest: parts that are compared with each other are read close
        # together.
        _Reader(
            Part.ATTACHMENTS,
            shop | {Store.SUPPORT},
            lambda: read_attachments(stack, there, seed, progress, scope.attachments),
        ),
        _Reader(Part.CHANGES, shop | ({Store.EVENTS} & there), lambda: {"changes": read_changes(stack, there)}),
        _Reader(Part.STOCK, frozenset({Store.STOCK}), lambda: read_stock(stack)),
        _Reader(Part.OUTBOXES, shop, lambda: {"outboxes": _outboxes(stack)}),
        _Reader(Part.PAYMENTS, shop, lambda: {"payments": _payments(stack, orders, sorted(scope.payments or ()))}),
        _Reader(Part.PARCELS, shop, lambda: {"parcels": _parcels(stack, orders)}),
        # Labels are read after the parcels: a parcel that had been shipped by then has its label now.
        _Reader(Part.LABELS, shop | {Store.LABELS}, lambda: {"labels": read_labels(stack)}),
        _Reader(
            Part.DELIVERIES,
            frozenset({Store.EVENTS}) | ({Store.SHOP, Store.STOCK} & there),
            lambda: {"deliveries": read_deliveries(stack, there, seed)},
        ),
        _Reader(Part.ACTS, shop | {Store.NOTIFIER}, lambda: {"acts": read_acts(stack, scope.events)}),
        _Reader(
            Part.CONTACTS,
            contacts,
            lambda: read_told(stack, read_contacts(stack.ledger_dir), there),
        ),
        # Purchases are read before the checkouts, which have to show everything acknowledged by then.
        _Reader(
            Part.PURCHASES,
            frozenset({Store.ORDERS}),
            lambda: {"purchases": _purchases(stack, scope.checkouts)},
        ),
        _Reader(Part.TIMELINES, shop | _OF_TIMELINES, lambda: read_timelines(stack, seed, scope.cases)),
        _Reader(
            Part.CHECKOUTS,
            frozenset({Store.ORDERS}),
            lambda: {"checkouts": _checkouts(stack, scope.checkouts, scope.orders)},
        ),
    )


def _checkouts(stack: Stack, keys: frozenset[str] | None, orders: frozenset[int] | None) -> tuple[CheckoutFact, ...]:
    """The checkouts that have one of these keys or orders; all of them where `keys` is None. Raises: CouldNotLook."""
    if keys is None:
        rows = mysql_rows(stack, _CHECKOUTS)
    else:
        # An empty list is no SQL; no checkout has an empty key, no order the number 0.
        named = (sorted(keys) or [""], sorted(orders or ()) or [0])
        rows = mysql_rows(stack, f"{_CHECKOUTS} WHERE c.checkout_key IN %s OR c.order_id IN %s", named)
    return tuple(checkout_of(*row) for row in rows)


def _purchases(stack: Stack, keys: frozenset[str] | None) -> tuple[PurchaseFact, ...]:
    """The ledgers' purchases at these checkouts; at all of them where `keys` is None. Raises: InvalidInput."""
    found = read_purchases(stack.ledger_dir)
    return found if keys is None else tuple(one for one in found if one.checkout in keys)


def checkout_of(key: str, step: str, age: Any, *more: Any) -> CheckoutFact:
    """The fact in one row of _CHECKOUTS."""
    order_id, payment_id, reservation_id, status, total, open_seconds, listed, came_back = more
    items = _items_of(listed)
    return CheckoutFact(
        *(key, step, float(age), order_id, payment_id, reservation_id, status, total),
        open_seconds=float(open_seconds),
        items=items,
        back=items if came_back else (),
    )


def _items_of(listed: str | None) -> tuple[tuple[str, int], ...]:
    """(sku, units) of each line; empty where the stored request is damaged, which breaks a claim of its own."""
    try:
        return tuple((str(item["sku"]), int(item["quantity"])) for item in orjson.loads(listed or "[]"))
    except (ValueError, TypeError, KeyError):
        return ()


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
    # A hold that is called off leaves no `hold_until`, but an event, as a new hold does.
    since = max(at for at in (requested_at, hold_until, held_at) if at is not None)
    return ParcelFact(
        *(id_, order_id, status, by_events, version, events_version),
        late_seconds=(now - since).total_seconds(),
        label_bytes=label_bytes,
        has_work=has_work,
    )
