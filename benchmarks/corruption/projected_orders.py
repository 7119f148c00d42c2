"""Puts the projection in Cassandra back after a captured change of orders was taken out again.

The projector's timestamps follow the source's versions (2 × version). So when a row returns with its old version, the
projector's write does not replace what the corruption left. The steps here write with timestamp 2 × version + 4,
above every write that the corruption caused.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.corruption.kind import Looking, Step
from benchmarks.corruption.orders import WholeOrder
from lakeproof_shop.projector.statements import PROJECTION

COMPONENT = "projector"
CASSANDRA = "cassandra"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_before(look: Looking, orders: Sequence[WholeOrder]) -> list[Step]:
    """Steps that write these orders into the projection again; none where the stack has no projector."""
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
        # The pause lets the projector write first.
        Step("pause", "4"),
        Step(
            CASSANDRA,
            f"INSERT INTO projections.{PROJECTION} ({names}) VALUES ({', '.join(map(str, values))})"
            f" USING TIMESTAMP {after}",
        ),
    ]
