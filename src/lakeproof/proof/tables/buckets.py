"""Digests by bucket: those of an engine's rows and of the ledger, and which buckets have to be opened."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakeproof.proof.tables.canonical import (
    ORDER_EVENTS,
    ORDER_ITEMS,
    ORDERS,
    TABLES,
    Table,
    Value,
    digest_of,
    microseconds,
    text_bucket,
)
from lakeproof.proof.tables.ranges import OF_NULL
from lakeproof_shop.customers.ledger import Expectations
from lakeproof_shop.services.order.models import Order

BUCKETS = 1024
SMALLEST_WIDTH = 16


@dataclass(frozen=True)
class Digest:
    """One bucket: the number of rows, the sum of their digests, the sum of their identities' digests."""

    rows: int = 0
    full: int = 0
    identity: int = 0


type TableDigests = Mapping[int, Digest]
type Digests = Mapping[str, TableDigests]

_NONE = Digest()


def width_for(largest_order_id: int) -> int:
    """How many order ids one bucket spans: about a thousand buckets, none smaller than 16 ids."""
    return max(SMALLEST_WIDTH, -(-(largest_order_id + 1) // BUCKETS))


def rows_in(digests: Digests, table: str) -> int:
    """How many rows the table has by these digests."""
    return sum(digest.rows for digest in digests[table].values())


def differing(ours: TableDigests, theirs: TableDigests, *, identity_only: bool = False) -> set[int]:
    """Buckets in which the two digests differ."""
    different = set()
    for bucket in ours.keys() | theirs.keys():
        one, other = ours.get(bucket, _NONE), theirs.get(bucket, _NONE)
        if identity_only:
            one, other = Digest(one.rows, 0, one.identity), Digest(other.rows, 0, other.identity)
        if one != other:
            different.add(bucket)
    return different


def digests_of(table: Table, rows: Iterable[Sequence[Any]], width: int) -> TableDigests:
    """The digests of these rows of a table (canonical values, in the order of its columns), by bucket."""
    names = [column.name for column in table.columns]
    places = [place for place, name in enumerate(names) if name in table.identity]
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        one = sums[_bucket(table, row[names.index(table.order_column)], width)]
        one[0] += 1
        one[1] += digest_of(row)
        one[2] += digest_of([row[place] for place in places])
    return {bucket: Digest(*one) for bucket, one in sums.items()}


def _bucket(table: Table, key: Value, width: int) -> int:
    if key is None:
        return OF_NULL
    return text_bucket(str(key)) if table.has_text_key else int(key) // width


class LedgerDigests:
    """What the ledger expects, as digests: every order in its newest acknowledged state.

    `unsettled`: buckets of orders with a call whose outcome is unknown; these buckets are always opened.
    Events are identified by (order, version) only: the ledger knows neither their ids nor their times.
    """

    def __init__(self, expectations: Expectations, width: int) -> None:
        self._width = width
        self._sums: dict[str, dict[int, list[int]]] = {table.name: defaultdict(lambda: [0, 0, 0]) for table in TABLES}
        self.unsettled: set[int] = set()
        for one in expectations.by_key.values():
            order_id = next((s.order.id for s in one.acknowledged if s.order is not None and s.order.id), None)
            if order_id is None:
                continue
            if one.open_call is not None:
                self.unsettled.add(order_id // width)
                continue
            last = one.acknowledged[-1]
            if last.order is not None:
                self._add(ORDERS.name, order_id, order_values(last.order), (order_id,))
                for item in last.order.items:
                    values = (item.id, order_id, item.line, item.sku, item.quantity, item.unit_price)
                    self._add(ORDER_ITEMS.name, order_id, values, (item.id,))
            for version in range(1, last.version + 1):
                self._add(ORDER_EVENTS.name, order_id, None, (order_id, version))

    def _add(self, table: str, order_id: int, values: Sequence[Value] | None, identity: Sequence[Value]) -> None:
        sums = self._sums[table][order_id // self._width]
        sums[0] += 1
        sums[1] += 0 if values is None else digest_of(values)
        sums[2] += digest_of(identity)

    @cached_property
    def digests(self) -> Digests:
        """The ledger's digests, by table and bucket."""
        return {
            table: {bucket: Digest(*sums) for bucket, sums in by_bucket.items()}
            for table, by_bucket in self._sums.items()
        }

    def to_open(self, engine: Digests) -> set[int]:
        """Buckets whose rows must be read, because the engine's digest is not the ledger's, or a call is unclear."""
        ours = self.digests
        opened = set(self.unsettled)
        for table in TABLES:
            only = table is ORDER_EVENTS
            opened |= differing(ours[table.name], engine[table.name], identity_only=only)
        return opened


def order_values(order: Order) -> tuple[Value, ...]:
    """The canonical values of an order's row."""
    return (
        order.id,
        order.client_key,
        order.customer_id,
        order.status,
        order.total,
        order.item_count,
        order.version,
        None if order.created_at is None else microseconds(order.created_at),
        None if order.updated_at is None else microseconds(order.updated_at),
    )
