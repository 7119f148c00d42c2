"""The rehearsal behind `make chaos-replication-lag`: pause the connector, let shoppers order, measure, resume.

The pause is recorded like every fault, so `lakeproof fault remove paused_connector` takes it out after a crash.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.faults import records
from lakeproof.lake.capture.backlog import binlog_delta, end_offset, orders_delivered
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers import shoppers
from lakeproof_shop.scenarios.replication_lag import faults

ME = "chaos-replication-lag"
RATE = 50.0
SLOWEST_RATE = 5.0
CATCH_UP_SECONDS = 60.0
ASKED = (("connect", "http"), ("mysql", "tcp"), ("kafka", "tcp"), ("order-service", "http"))


def rehearse(
    stack: Stack,
    connector: str,
    rows: int,
    found: dict[str, Any],
    *,
    keep_paused: bool,
    progress: Callable[[str], None],
) -> None:
    """`found` is filled, step by step, with what the script prints. The pause is on record, and the connector is
    resumed at the end unless `keep_paused`.

    Raises: LakeproofError.
    """
    for component, kind in ASKED:  # before anything is paused: raises where an address is not given
        stack.address(component, kind)
    run = f"chaos-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"
    found |= {"connector": connector, "run": run}
    start = end_offset(stack, connector)
    try:
        records.inject(stack, faults.PausedConnector, {"connector": connector}, by=ME)
    except KeyboardInterrupt:  # it may be paused already; a connector that another fault has paused stays so
        if any((one.fault, one.by) == (faults.PausedConnector.id, ME) for one in records.recorded(stack)):
            records.remove(stack, faults.PausedConnector, {"connector": connector})
        raise
    found["paused"] = True

    def measure() -> dict[str, Any]:
        delivered = orders_delivered(stack, connector, start, run)
        return {"binlogPositionDelta": binlog_delta(stack, connector), "rowCountDelta": written - delivered}

    written = 0
    try:
        progress(f"connector {connector} is paused; shoppers order until {rows} orders are acknowledged")
        found["binlogPositionDeltaBefore"] = binlog_delta(stack, connector) or 0
        found["rowsWritten"] = written = _order(stack, run, rows)
        found |= measure()
    finally:  # also where the orders fail, or somebody interrupts the command
        if not keep_paused:
            records.remove(stack, faults.PausedConnector, {"connector": connector})
            found["paused"] = False
            progress(f"connector {connector} is resumed")
    if keep_paused:
        return
    deadline = Deadline(CATCH_UP_SECONDS)
    after: dict[str, Any] = {}

    def caught_up() -> bool | None:
        nonlocal after
        after = measure()
        return True if after["rowCountDelta"] == 0 else None

    try:
        deadline.wait_for(
            "every row to arrive", caught_up, every=1.0, seen=lambda: str(after), unseen_is_not_yet=True
        )
    except DeadlineExpired as error:
        progress(error.message)
    found["afterResume"] = after | {"seconds": round(deadline.elapsed, 1)}


def _order(stack: Stack, run: str, rows: int) -> int:
    """Let shoppers order until `rows` orders are acknowledged; gives how many were."""
    handle = shoppers.start(stack, RATE, 1, run)
    try:
        Deadline(30 + rows / SLOWEST_RATE).wait_for(
            f"{rows} orders",
            lambda: True if handle.counts().orders >= rows else None,
            seen=lambda: f"{handle.counts().orders} orders",
        )
    finally:
        report = handle.stop()
    return report.counts.orders
