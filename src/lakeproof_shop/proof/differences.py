"""Lake against database where the ledger cannot tell: ids, types and times of events, and unacknowledged versions."""

from collections.abc import Iterator
from dataclasses import replace

from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDERS
from lakeproof_shop.proof.contents import Contents
from lakeproof_shop.proof.ledger_rules import Judge
from lakeproof_shop.services.order.models import Item, Order

# An event's time is set before its transaction commits; the event may be up to this much older than the commit.
COMMITTED_WITHIN_US = 120_000_000


def differences(database: Contents, lake: Contents, judge: Judge) -> list[Finding]:
    """Events that only one side has or that differ, and orders with another content at the same version.

    An event never changes or goes, and the database is read after the lake's state was published. So every event in
    the lake must be in the database, and equal. An event that the database had well before the cut must be in the
    lake: even for a call without an answer, the database had decided by then. An order is compared only at the same
    version, and only where that version was not acknowledged (else the ledger has judged both sides).
    """
    return [*_events(database, lake, judge), *_lost_events(database, lake, judge), *_orders(database, lake, judge)]


def _events(database: Contents, lake: Contents, judge: Judge) -> Iterator[Finding]:
    theirs = {row.id: row for rows in database.events.values() for row in rows}
    for rows in lake.events.values():
        for row in rows:
            other = theirs.get(row.id)
            if other != row:
                key = f"{judge.name_of(row.order_id)} v{row.version}"
                how = "is not in the database" if other is None else "differs from the database's"
                yield Finding(ORDER_EVENTS.name, Wrong.PHANTOM, key, f"event {row.id} {how}")


def _lost_events(database: Contents, lake: Contents, judge: Judge) -> Iterator[Finding]:
    there = {row.id for rows in lake.events.values() for row in rows}
    # A row with a NULL is present, and has a finding of its own; the NULL may be the id that names the event.
    spoilt = {row.order_id for row in lake.incomplete if row.table == ORDER_EVENTS.name}
    for rows in database.events.values():
        for row in rows:
            if row.id not in there and row.order_id not in spoilt and row.at_us < judge.cut_us - COMMITTED_WITHIN_US:
                key = f"{judge.name_of(row.order_id)} v{row.version}"
                yield Finding(ORDER_EVENTS.name, Wrong.LOST, key, f"event {row.id} is in the database alone")


def _orders(database: Contents, lake: Contents, judge: Judge) -> Iterator[Finding]:
    theirs = {order.id: _whole(order, database) for order in database.orders}
    for order in lake.orders:
        other = theirs.get(order.id)
        if other is None or other.version != order.version or judge.knows(order.client_key, order.version):
            continue
        if _whole(order, lake) != other:
            detail = f"differs from the database's at version {order.version}, which nobody acknowledged"
            yield Finding(ORDERS.name, Wrong.PHANTOM, order.client_key, detail)


def _whole(order: Order, contents: Contents) -> Order:
    items: list[Item] = sorted(contents.items.get(order.id or 0, []), key=lambda item: (item.line, item.id or 0))
    return replace(order, items=tuple(items))
