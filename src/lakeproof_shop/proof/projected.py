"""The projection in Cassandra against the database, key by key, also under traffic.

The database is read first, then the projection once it covers that moment, then the database again for the rows that
differ: a row that stayed the same must have been projected. A row that only the projection has is looked at once more
there, since an order may have been made and deleted between the two looks at the database. A row that changed
meanwhile goes through the same looks again; if it changed then too, it is counted as unsettled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable
from cassandra.query import SimpleStatement

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.result_topics import PARTITIONS
from lakeproof.ledger.calls import now_us
from lakeproof.processes.parts import parts_of
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import TableReport
from lakeproof.proof.tables.readers import OF_LEDGER, snapshot_of
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.projector.lag import covered_us
from lakeproof_shop.projector.statements import PROJECTION

ENGINE = "cassandra"
COMPONENT = "projector"
READ_SECONDS = 60.0
# With more keys than this, one scan of the whole table is cheaper than a statement for each key.
MOST_KEYS = 500
LOOKS = 3  # at the database, at most

_DATABASE = """\
SELECT customer_id, id, status, total, item_count, version,
 TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', updated_at)
FROM oltp.orders"""
_PROJECTION = (
    "SELECT customer_id, order_id, status, total, item_count, version, created_us, updated_us"
    f" FROM projections.{PROJECTION}"
)

# (customer id, order id)
type Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as both sides hold it; None is NULL, which Cassandra allows in any column."""

    status: str | None
    total: Decimal | None
    item_count: int | None
    version: int | None
    created_us: int | None
    updated_us: int | None


type Orders = dict[Key, Order]


class Sides(Protocol):
    """The two sides. `database` gives its orders, and a moment before which they were all written. `projection` waits
    until it covers that moment, and gives its orders. Both give all orders, or those of the given keys.
    """

    def database(self, keys: Sequence[Key] | None = None) -> tuple[Orders, int]:
        """Raises: CouldNotLook."""

    def projection(self, covering_us: int, keys: Sequence[Key] | None = None) -> Orders:
        """Raises: CouldNotLook."""


def compare_projection(sides: Sides) -> TableReport:
    """Orders that the projection lost, has too old, or has where the database has none. Raises: CouldNotLook."""
    before, read_us = sides.database()
    shown = sides.projection(read_us)
    suspects = [key for key in before.keys() | shown.keys() if before.get(key) != shown.get(key)]
    findings: list[Finding] = []
    rows = len(shown)
    for looks in range(2, LOOKS + 1):
        if not suspects:
            break
        after, again_us = sides.database(suspects)
        kept = sorted(key for key in suspects if before.get(key) == after.get(key))
        extra = [key for key in kept if key not in after]
        still = sides.projection(again_us, extra) if extra else {}
        findings += [_finding(key, after.get(key), shown.get(key)) for key in kept if key in after or key in still]
        suspects = sorted(set(suspects).difference(kept))
        if suspects and looks < LOOKS:
            before, shown = after, sides.projection(again_us, suspects)
            suspects = [key for key in suspects if before.get(key) != shown.get(key)]
    return TableReport(PROJECTION, ENGINE, rows, tuple(findings), unsettled=len(suspects))


def _finding(key: Key, wanted: Order | None, shown: Order | None) -> Finding:
    name = f"order {key[1]} of customer {key[0]}"
    if wanted is None:
        return Finding(PROJECTION, Wrong.PHANTOM, name, "in the projection, not in the database")
    if shown is None:
        return Finding(PROJECTION, Wrong.LOST, name, "in the database, not in the projection")
    if (shown.version or 0) < (wanted.version or 0):
        return Finding(PROJECTION, Wrong.STALE, name, f"version {shown.version}, in the database {wanted.version}")
    return Finding(
        PROJECTION,
        Wrong.PHANTOM,
        name,
        f"version {shown.version} with another content, in the database {wanted.version}",
    )


def look(stack: Stack, cover_seconds: float, progress: Callable[[str], None]) -> TableReport | None:
    """None where the stack has no projector. Raises: CouldNotLook where it has one, and a side gives no answer."""
    if COMPONENT not in parts_of(stack).known():
        return None
    try:
        with cassandra_session.session(
            stack, "reader", stack.secret("cassandra-reader"), seconds=READ_SECONDS
        ) as ring:
            return compare_projection(_StackSides(stack, ring, cover_seconds, progress))
    except (DriverException, NoHostAvailable) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where="projection") from error


class _StackSides:
    def __init__(self, stack: Stack, ring: Any, cover_seconds: float, progress: Callable[[str], None]) -> None:
        self._stack, self._ring, self._cover_seconds, self._progress = stack, ring, cover_seconds, progress

    def database(self, keys: Sequence[Key] | None = None) -> tuple[Orders, int]:
        few = keys is not None and len(keys) <= MOST_KEYS
        where = f" WHERE id IN ({', '.join(str(order) for _, order in keys)})" if few and keys else ""
        with snapshot_of(self._stack, OF_LEDGER, READ_SECONDS) as reader:
            read_us = now_us()
            return orders_of(reader.ask(_DATABASE + where)), read_us

    def projection(self, covering_us: int, keys: Sequence[Key] | None = None) -> Orders:
        self._await_covered(covering_us)
        if keys is None or len(keys) > MOST_KEYS:
            return orders_of(self._rows(_PROJECTION))
        one = f"{_PROJECTION} WHERE customer_id = %s AND order_id = %s"
        return orders_of([row for key in keys for row in self._rows(one, key)])

    def _await_covered(self, instant_us: int) -> None:
        deadline = Deadline(self._cover_seconds)
        while True:
            rows = self._rows(f"SELECT part, covers_us FROM projections.progress WHERE projection = '{PROJECTION}'")
            covered = covered_us(rows, PARTITIONS)
            if covered is not None and covered >= instant_us:
                return
            behind = "nothing yet" if covered is None else f"what is {(now_us() - covered) / 1e6:.1f} s old"
            if deadline.expired:
                raise CouldNotLook(
                    f"within {self._cover_seconds:.0f} s it did not come to cover now; it covers {behind}",
                    where="projection",
                    next_action="lakeproof ps; projector_lag_records above 0: the projector is behind, else the job",
                )
            self._progress(f"waiting for the projection to cover now; it covers {behind}")
            deadline.pause(0.3)

    def _rows(self, cql: str, values: Sequence[object] | None = None) -> list[Any]:
        # The session reads at QUORUM; the driver fetches page after page.
        return list(self._ring.execute(SimpleStatement(cql, fetch_size=5000), values, timeout=READ_SECONDS))


def orders_of(rows: Sequence[Sequence[Any]]) -> Orders:
    """Rows of either side, in the order of the statements' columns."""
    return {
        (int(customer), int(order)): Order(
            status,
            None if total is None else Decimal(total),
            *(None if number is None else int(number) for number in (items, version, created, updated)),
        )
        for customer, order, status, total, items, version, created, updated in rows
    }
