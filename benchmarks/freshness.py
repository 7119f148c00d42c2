"""freshness: from an order's commit in MariaDB to Paimon, to `main` and to a reader in Trino, at fixed rates by SQL.

The benchmark needs the whole path. Shoppers create orders at the given rate, and also pay, change, cancel and delete
(0.6 more calls for each order). All times are of the same clock, since everything runs on this machine.
"""

from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.sightings import Watch
from benchmarks.sql_shop import created_at, sql_shoppers
from benchmarks.usage import used_during
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import percentiles_ms

RATES = (50.0, 200.0)
SECONDS = 60.0
WARM_SECONDS = 15.0
DRAIN_SECONDS = 30.0
FIRST_SECONDS = 60.0
# Up to this many orders per second the first aim applies, above it the second.
MODEST_RATE = 50.0
AIM_MODEST_P99_SECONDS, AIM_P99_SECONDS = 3.0, 4.0


def _newest(stack: Stack) -> PublishedCommit | None:
    try:
        return history.newest(stack)
    except history.NothingPublished:
        return None


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where the path does not answer, DeadlineExpired where it publishes nothing."""
    Deadline(FIRST_SECONDS).wait_for("a first published state", lambda: _newest(stack))
    rows, usage_tables, ratios, notes = [], {}, [], []
    for rate in options.rates or RATES:
        progress(f"{rate:g} orders/s: {WARM_SECONDS:g} s of warming, then {options.seconds or SECONDS:g} s")
        row, usage, problems = _at_rate(stack, rate, options.seconds or SECONDS, progress)
        rows.append(row)
        usage_tables[f"by process at {rate:g} orders/s (CPU in percent of one core, memory)"] = usage
        notes += problems
        if (p99 := row["trino_p99_s"]) is not None:
            aim = AIM_MODEST_P99_SECONDS if rate <= MODEST_RATE else AIM_P99_SECONDS
            ratios.append(Ratio.at_most(f"commit → Trino p99 at {rate:g} orders/s to {aim:g} s", p99, aim))
            ratios.append(
                Ratio(
                    f"commit → main p50 at {rate:g} orders/s to the checkpoint interval"
                    f" ({stack.settings.lake.checkpoint_seconds:g} s)",
                    round(row["main_p50_s"] / stack.settings.lake.checkpoint_seconds, 2),
                )
            )
    return Result(
        "freshness",
        options,
        {"seconds from commit, by SQL": rows, **usage_tables},
        ratios,
        notes,
    )


def _at_rate(
    stack: Stack, rate: float, seconds: float, progress: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    watch = Watch(stack)
    shoppers = sql_shoppers(stack, rate, "fresh")
    try:
        Deadline(WARM_SECONDS).pause(WARM_SECONDS)
        used, started, ended = used_during(stack, seconds)
        report = shoppers.stop()
        progress(f"{rate:g} orders/s: waiting for the last ones")
        mine = {order: at for order, at in created_at(report).items() if started <= at < ended}
        drained = Deadline(DRAIN_SECONDS)
        while not drained.expired and not all(order in watch.sightings for order in mine):
            drained.pause(0.5)
    finally:
        shoppers.stop()
        watch.stop()
    if not watch.commits:
        why = watch.problems[-1] if watch.problems else "nothing was published meanwhile"
        raise CouldNotLook(f"no commit was seen in Trino: {why}", where="freshness", next_action="lakeproof ps")
    seen = {order: watch.sightings[order] for order in mine if order in watch.sightings}
    paimon = [one.paimon_at - mine[order] for order, one in seen.items()]
    main = [one.main_at - mine[order] for order, one in seen.items()]
    reader = [one.trino_at - mine[order] for order, one in seen.items()]
    row: dict[str, Any] = {
        "asked_per_s": rate,
        "orders_per_s": round(len(mine) / (ended - started), 1),
        "orders": len(mine),
        # Orders that were deleted before the first look, or not published in time.
        "not_seen": len(mine) - len(seen),
        **spread("paimon", paimon),
        **spread("main", main),
        **spread("trino", reader),
        "commits": watch.commits,
        "passed_over": watch.passed_over,
        "refused": report.counts.refused,
        "unclear": report.counts.unclear,
        # Where the shoppers send late, a refusal may come from the busy machine and not from the shop.
        "sent_late_p99_s": round(report.lateness_ms.get("p99", 0.0) / 1000, 3),
    }
    failed = watch.problems
    return row, used, [f"{rate:g} orders/s: {len(failed)} looks failed, last: {failed[-1]}"] if failed else []


def spread(what: str, seconds: list[float]) -> dict[str, float | None]:
    """The percentiles as columns `WHAT_p50_s` and so on; None where nothing was seen."""
    found = percentiles_ms(seconds)
    return {f"{what}_{name}_s": round(found[name] / 1000, 2) if found else None for name in ("p50", "p95", "p99")}


BENCHMARK = Benchmark(
    "freshness",
    "commit → Paimon → main → Trino p50/p95/p99 at 50 and 200 orders/s by SQL, CPU and memory by process",
    (
        *("mysql", "kafka", "connect", "flink-jobmanager", "flink-taskmanager"),
        *("nessie", "publisher", "lag-exporter", "trino"),
    ),
    run,
)
