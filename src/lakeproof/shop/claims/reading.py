"""Reads the facts, each store by its account that only reads. Raises: CouldNotLook that names the store."""

import asyncio
from collections.abc import Iterable
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.shop.claims.facts import (
    CheckoutFact,
    OutboxFact,
    ParcelFact,
    PaymentFact,
    ReservedLine,
    ShopFacts,
    Store,
)
from lakeproof.shop.database.errors import DatabaseTrouble, Duplicate
from lakeproof.shop.database.postgres import CONNECT_SECONDS, Connection, connector
from lakeproof.shop.inventory.audit import LineSum, SkuTotals
from lakeproof.stack.engines import cassandra_session, mysql
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

READ_SECONDS = 30.0
OUTBOXES = ("payment", "fulfillment", "support", "notification")

_CHECKOUTS = """
SELECT c.checkout_key, c.step,
       TIMESTAMPDIFF(MICROSECOND, c.created_at, UTC_TIMESTAMP(6)) / 1000000,
       c.order_id, c.payment_id, c.reservation_id, o.status, o.total
FROM oltp.checkouts c LEFT JOIN oltp.orders o ON o.id = c.order_id
"""
_PAYMENTS = """
SELECT p.id, p.order_id, p.status, p.captured, p.refunded,
       COALESCE(SUM(e.amount) FILTER (WHERE e.type = 'captured'), 0.00) AS captured_by_events,
       COALESCE(SUM(e.amount) FILTER (WHERE e.type = 'refunded'), 0.00) AS refunded_by_events
FROM payments p LEFT JOIN payment_events e ON e.payment_id = p.id GROUP BY p.id
"""
_TOTALS = "SELECT DISTINCT sku, version, received, sold, reserved, active, events, sent FROM inventory.stock"
_LINES = "SELECT sku, id, kind, state, quantity FROM inventory.stock WHERE kind = '{kind}' ALLOW FILTERING"
_OUTBOX = """
SELECT count(*) AS unsent,
       COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(created_at)), 0) AS oldest
FROM outbox WHERE sent_at IS NULL
"""


def read_facts(stack: Stack, stores: Iterable[Store]) -> ShopFacts:
    """What those stores hold now. Orders and checkouts last: what they say is true then was true before elsewhere."""
    there = set(stores)
    found: dict[str, Any] = {}
    if Store.STOCK in there:
        found |= _stock(stack)
    if Store.SHOP in there:
        found |= asyncio.run(_shop(stack))
    if Store.ORDERS in there:
        found["checkouts"] = _checkouts(stack)
    return ShopFacts(**found)


def _checkouts(stack: Stack) -> tuple[CheckoutFact, ...]:
    import pymysql

    try:
        with (
            mysql.connect(stack, "reader", "mysql-reader", READ_SECONDS) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(_CHECKOUTS)
            return tuple(
                CheckoutFact(key, step, float(age), order_id, payment_id, reservation_id, status, total)
                for key, step, age, order_id, payment_id, reservation_id, status, total in cursor.fetchall()
            )
    except pymysql.MySQLError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=Store.ORDERS.value) from error


async def _shop(stack: Stack) -> dict[str, Any]:
    try:
        outboxes = [await _outbox(stack, service) for service in OUTBOXES]
        payments = await _rows(stack, "payment", _PAYMENTS)
        parcels = await _rows(stack, "fulfillment", "SELECT id, order_id, status FROM fulfillments")
    except (DatabaseTrouble, Duplicate) as error:
        raise CouldNotLook(f"no answer: {error}", where=Store.SHOP.value) from error
    return {
        "outboxes": tuple(outboxes),
        "payments": tuple(PaymentFact(*row) for row in payments),
        "parcels": tuple(ParcelFact(*row) for row in parcels),
    }


async def _outbox(stack: Stack, service: str) -> OutboxFact:
    ((unsent, oldest),) = await _rows(stack, service, _OUTBOX)
    return OutboxFact(service, int(unsent), float(oldest))


async def _rows(stack: Stack, schema: str, statement: str) -> list[Any]:
    host, port = stack.host_port("postgres")
    connect = connector(
        host,
        port,
        "reader",
        stack.secret("postgres-reader"),
        DATABASE,
        connect_seconds=CONNECT_SECONDS,
        statement_seconds=READ_SECONDS,
        schema=schema,
    )
    connection: Connection = await connect()
    try:
        return list(await connection.fetch(statement))
    finally:
        connection.close()


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
    steady = frozenset(one.sku for one in totals if int(again.get(one.sku) or 0) == one.version)
    return {"totals": totals, "sums": sums, "lines": held, "steady": steady}
