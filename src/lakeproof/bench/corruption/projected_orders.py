"""Puts the projection in Cassandra back after a captured change of orders was taken out again.

The projector writes by the source's own order (timestamp 2 × version), so that a row that returns with the version
that it had does not replace what is there. Written here with the next timestamp that no newer version loses against.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from lakeproof.bench.corruption.kind import Looking, Step
from lakeproof.bench.corruption.orders import WholeOrder
from lakeproof.lake.projector.statements import PROJECTION

COMPONENT = "projector"
CASSANDRA = "cassandra"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_before(look: Looking, orders: Sequence[WholeOrder]) -> list[Step]:
    """Steps that make these orders what they were; none where no projector is part of the stack."""
    if not look.has(COMPONENT):
        return []
    return [step for order in orders for step in _as_before(order)]


def _as_before(order: WholeOrder) -> list[Step]:
    row = order.row
    after = 2 * row["version"] + 4
    names = "customer_id, order_id, status, total, item_count, version, created_us, updated_us"
    times = [
        round((row[name].replace(tzinfo=UTC) - _EPOCH).total_seconds() * 1e6) for name in ("created_at", "updated_at")
    ]
    values = (
        row["customer_id"],
        row["id"],
        f"'{row['status']}'",
        row["total"],
        row["item_count"],
        row["version"],
        *times,
    )
    return [
        # What a moved or invented customer left behind is of this order, too; the pause lets the projector go first.
        Step("pause", "4"),
        Step(
            CASSANDRA,
            f"INSERT INTO projections.{PROJECTION} ({names}) VALUES ({', '.join(map(str, values))})"
            f" USING TIMESTAMP {after}",
        ),
    ]
