"""Reads the facts, each store by its account that only reads. Raises: CouldNotLook that names the store."""

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson

from lakeproof.errors import CouldNotLook
from lakeproof.shop.claims.facts import (
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
from lakeproof.shop.claims.judging import TIMELINES
from lakeproof.shop.claims.reading_acts import read_acts
from lakeproof.shop.claims.reading_service import read_timelines, read_told
from lakeproof.shop.claims.rows import READ_SECONDS, rows_of
from lakeproof.shop.contacts import read_contacts
from lakeproof.shop.inventory.audit import LineSum, SkuTotals
from lakeproof.stack.engines import cassandra_session, mysql
from lakeproof.stack.stack import Stack

OUTBOXES = ("payment", "fulfillment", "support", "notification")

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
_PARCELS = "SELECT id, order_id, status FROM fulfillments WHERE $1::bigint[] IS NULL OR order_id = ANY($1)"
_TOTALS = "SELECT DISTINCT sku, version, received, sold, reserved, active, events, sent FROM inventory.stock"
_LINES = "SELECT sku, id, kind, state, quantity FROM inventory.stock WHERE kind = '{kind}' ALLOW FILTERING"
_OF_TIMELINES = {Store.SUPPORT, Store.ORDERS, Store.ORDERING, Store.PAYING, Store.SENDING, Store.CAPTURE}
_OUTBOX = """
SELECT count(*) AS unsent,
       COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(created_at)), 0) AS oldest
FROM outbox WHERE sent_at IS NULL
"""


def read_facts(stack: Stack, stores: Iterable[Store], scope: Scope) -> ShopFacts:
    """What of `scope` those stores hold now.

    Orders and checkouts last: what they say is true then was true before elsewhere.
    """
    there, parts = set(stores), scope.parts
    found: dict[str, Any] = {}
    if Store.STOCK in there and Part.STOCK in parts:
        found |= _stock(stack)
    if Store.SHOP in there:
        found |= asyncio.run(_shop(stack, scope, consumed=Store.NOTIFIER in there))
        if Part.CONTACTS in parts and there & {Store.SUPPORT, Store.NOTIFIER}:
            # Anew at every look: customers go on telling.
            found |= asyncio.run(read_told(stack, read_contacts(stack.ledger_dir), there))
        if Part.TIMELINES in parts and there >= _OF_TIMELINES:
            found["timelines"] = read_timelines(stack, TIMELINES)
    if Store.ORDERS in there and Part.CHECKOUTS in parts:
        found["checkouts"] = _checkouts(stack, scope.checkouts)
    return ShopFacts(**found)


def _checkouts(stack: Stack, keys: frozenset[str] | None) -> tuple[CheckoutFact, ...]:
    import pymysql

    try:
        with (
            mysql.connect(stack, "reader", "mysql-reader", READ_SECONDS) as connection,
            connection.cursor() as cursor,
        ):
            if keys is None:
                cursor.execute(_CHECKOUTS)
            else:
                # An empty list is no SQL; no checkout has an empty key.
                cursor.execute(f"{_CHECKOUTS} WHERE c.checkout_key IN %s", (sorted(keys) or [""],))
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


async def _shop(stack: Stack, scope: Scope, *, consumed: bool) -> dict[str, Any]:
    parts, found = scope.parts, dict[str, Any]()
    orders = None if scope.orders is None else sorted(scope.orders)
    if Part.OUTBOXES in parts:
        found["outboxes"] = tuple([await _outbox(stack, service) for service in OUTBOXES])
    if Part.PAYMENTS in parts:
        rows = await rows_of(stack, "payment", _PAYMENTS, orders, sorted(scope.payments or ()))
        found["payments"] = tuple(PaymentFact(*row) for row in rows)
    if Part.PARCELS in parts:
        rows = await rows_of(stack, "fulfillment", _PARCELS, orders)
        found["parcels"] = tuple(ParcelFact(*row) for row in rows)
    if Part.ACTS in parts and consumed:
        found["acts"] = await read_acts(stack)
    return found


async def _outbox(stack: Stack, service: str) -> OutboxFact:
    ((unsent, oldest),) = await rows_of(stack, service, _OUTBOX)
    return OutboxFact(service, int(unsent), float(oldest))


def _stock(stack: Stack) -> dict[str, Any]:
    from cassandra import ConsistencyLevel, DriverException
    from cassandra.cluster import NoHostAvailable
    from cassandra.query import SimpleStatement

    def rows(ring: Any, statement: str) -> list[Any]:
        # The driver fetches page after page.
        asked = SimpleStatement(statement, consistency_level=ConsistencyLevel.QUORUM, fetch_size=2000)
        return list(ring.execute(asked, timeout=READ_SECONDS))

    try:
        with cassandra_session.session(
            stack, "reader", stack.secret("cassandra-reader"), seconds=READ_SECONDS
        ) as ring:
            skus = rows(ring, _TOTALS)
            lines = [row for kind in ("line", "receipt") for row in rows(ring, _LINES.format(kind=kind))]
            again = {row[0]: row[1] for row in rows(ring, "SELECT DISTINCT sku, version FROM inventory.stock")}
    except (DriverException, NoHostAvailable) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=Store.STOCK.value) from error
    totals = tuple(SkuTotals(row[0], *(int(value or 0) for value in row[1:])) for row in skus)
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    for sku, _, _, state, quantity in lines:
        many, units = counted.get((sku, state), (0, 0))
        counted[sku, state] = (many + 1, units + int(quantity or 0))
    sums: dict[str, tuple[LineSum, ...]] = {}
    for (sku, state), (many, units) in counted.items():
        sums[sku] = (*sums.get(sku, ()), LineSum(state, many, units))
    held = tuple(ReservedLine(str(row[1]), row[0], row[3], int(row[4] or 0)) for row in lines if row[2] == "line")
    receipts = tuple(Receipt(str(row[1]), row[0], int(row[4] or 0)) for row in lines if row[2] == "receipt")
    steady = frozenset(one.sku for one in totals if int(again.get(one.sku) or 0) == one.version)
    return {"totals": totals, "sums": sums, "lines": held, "receipts": receipts, "steady": steady}
