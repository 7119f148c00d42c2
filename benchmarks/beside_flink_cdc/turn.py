"""One side's turn: in a stack of its own it is warmed, loaded at each rate, killed under load, and left at rest."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.benchmark import Progress
from benchmarks.beside_flink_cdc.peer_job import TABLES
from benchmarks.beside_flink_cdc.sides import Side
from benchmarks.sql_shop import created_at, sql_shoppers
from benchmarks.usage import used_during
from lakeproof.deadline import Deadline
from lakeproof.lake.publish.snapshots import get_object, parse_snapshot
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

KILLED = "flink-taskmanager"
WARM_SECONDS = 20.0
BEFORE_KILL_SECONDS = 12.0
BACK_SECONDS = 240.0
# After this many new snapshots of `orders`, those of three checkpoints, rows count as flowing again after the kill.
SNAPSHOTS_AFTER_KILL = 6
ENTER_SECONDS = 30.0
QUIET_SECONDS, DRAIN_SECONDS = 10.0, 120.0


@dataclass
class Window:
    """Load at a rate, between the instants `begin` and `end` (UNIX seconds).

    committed: order → UNIX time at which its creation was acknowledged.
    sent_late_s: p99 of how late the shoppers sent their calls.
    killed_at: when the TaskManager was killed; None where it was not. healthy_after: seconds from then to healthy.
    """

    what: str
    rate: float
    begin: float
    end: float = 0.0
    committed: dict[int, float] = field(default_factory=dict)
    usage: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    sent_late_s: float = 0.0
    killed_at: float | None = None
    healthy_after: float | None = None


def take(
    side: Side, stack: Stack, rates: Sequence[float], seconds: float, progress: Progress
) -> tuple[list[Window], list[dict[str, Any]], bool]:
    """Play the turn; gives its windows, the use at rest by component, and whether all rows were in the lake by then.

    The rows stay in the lake for the judging.
    Raises: TerminalError naming what did not become healthy; DeadlineExpired where rows do not flow again.
    """
    progress(f"{side.name}: starting")
    side.begin(stack)
    windows = []
    for rate in rates:
        progress(f"{side.name}: {rate:g} orders/s, {WARM_SECONDS:g} s of warming, then {seconds:g} s")
        with _load(stack, rate) as window:
            Deadline(WARM_SECONDS).pause(WARM_SECONDS)
            window.usage, window.begin, window.end = used_during(stack, seconds)
        windows.append(window)
    progress(f"{side.name}: kill -9 of {KILLED} at {rates[0]:g} orders/s")
    with _load(stack, rates[0]) as window:
        window.what = f"kill -9 at {rates[0]:g} orders/s"
        Deadline(BEFORE_KILL_SECONDS).pause(BEFORE_KILL_SECONDS)
        window.killed_at = time.time()
        kill_and_await(SupervisorClient(stack), [KILLED], Deadline(BACK_SECONDS))
        window.healthy_after = time.time() - window.killed_at
        _await_rows(side, stack)
        window.end = time.time()
    windows.append(window)
    progress(f"{side.name}: until the last rows are in the lake")
    drained = _drain(side, stack)
    progress(f"{side.name}: at rest for {seconds:g} s")
    at_rest, _, _ = used_during(stack, seconds)
    return windows, at_rest, drained


@contextmanager
def _load(stack: Stack, rate: float) -> Iterator[Window]:
    """Let shoppers buy by SQL during the block; after it, `committed` has the orders that were made in the window."""
    window = Window(f"{rate:g} orders/s", rate, time.time())
    shoppers = sql_shoppers(stack, rate, "beside")
    try:
        Deadline(ENTER_SECONDS).wait_for("a shopper's first call", lambda: shoppers.counts().sent or None, every=0.05)
        yield window
    finally:
        report = shoppers.stop()
        window.refused = report.counts.refused
        window.sent_late_s = round(report.lateness_ms.get("p99", 0.0) / 1000, 3)
    window.committed = {order: at for order, at in created_at(report).items() if window.begin <= at < window.end}


def _await_rows(side: Side, stack: Stack) -> None:
    s3 = s3_client(stack)
    begin = _latest(s3, side, "orders")

    def flowing() -> bool | None:
        return True if _latest(s3, side, "orders") >= begin + SNAPSHOTS_AFTER_KILL else None

    Deadline(BACK_SECONDS).wait_for("rows after the kill", flowing, every=1.0)


def _drain(side: Side, stack: Stack) -> bool:
    """Wait until no snapshot has brought a row for QUIET_SECONDS; False where rows still came after DRAIN_SECONDS."""
    s3, deadline = s3_client(stack), Deadline(DRAIN_SECONDS)
    seen = {table: _latest(s3, side, table) for table in TABLES}
    quiet = Deadline(QUIET_SECONDS)
    while not quiet.expired and not deadline.expired:
        deadline.pause(1.0)
        for table in TABLES:
            for number in range(seen[table] + 1, (latest := _latest(s3, side, table)) + 1):
                text = get_object(s3, f"wh/{side.database}.db/{table}/snapshot/snapshot-{number}")
                if text is not None and parse_snapshot(text).delta_records:
                    quiet = Deadline(QUIET_SECONDS)
            seen[table] = latest
    return quiet.expired


def _latest(s3: Any, side: Side, table: str) -> int:
    return int(get_object(s3, f"wh/{side.database}.db/{table}/snapshot/LATEST") or 0)
