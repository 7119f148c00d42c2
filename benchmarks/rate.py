"""rate: the highest rate of calls that holds for a minute over the whole path, by SQL and by HTTP.

A rate holds when the shop acknowledges at least 98 % of the due calls in time and refuses none, and the lake keeps
up: the newest published heartbeat is at most 10 s old at the end. Rates rise until one does not hold.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.sql_shop import EnterShop, SqlShop, traffic_to
from benchmarks.usage import Usage
from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport
from lakeproof_shop.customers.shoppers.storefront import Storefront
from lakeproof_shop.customers.shoppers.traffic import Traffic, new_run, serve_in_new_loop

RATES = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1_000.0)
SECONDS = 60.0
LEAST_ACKNOWLEDGED = 0.98
MOST_BEHIND_SECONDS = 10.0
CATCH_UP_SECONDS = 60.0
HIGHEST = "the highest that held (percent of one core)"

Row = dict[str, Any]
Table = list[Row]


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where Nessie or the supervisor does not answer."""
    call_seconds = stack.settings.shop.request_seconds + 2.0
    shops: dict[str, EnterShop] = {
        "sql": lambda: SqlShop(stack),
        "http": lambda: Storefront(stack.url("order-service"), call_seconds=call_seconds),
    }
    rows, usage, highest = Table(), dict[str, Table](), dict[str, float]()
    for how, enter_shop in shops.items():

        def attempt(rate: float, how: str = how, enter_shop: EnterShop = enter_shop) -> tuple[Row, str]:
            row = _try(stack, how, enter_shop, rate, options.seconds or SECONDS)
            return row, f"{how} {rate:g} calls/s: {row['acknowledged_per_s']:g} acknowledged"

        tried, highest[how], used = rise(stack, options.rates or RATES, attempt, progress)
        rows += tried
        usage |= {f"by process at {rate:g} calls/s by {how}, {HIGHEST}": table for rate, table in used.items()}
    return Result(
        "rate",
        options,
        {"calls per second over the whole path (62 % of them new orders)": rows, **usage},
        [Ratio("highest rate by HTTP to highest by SQL", round(highest["http"] / highest["sql"], 2))]
        if highest["sql"]
        else [],
        [f"highest that held: {highest['sql']:g} calls/s by SQL, {highest['http']:g} by HTTP"],
    )


def rise(
    stack: Stack, rates: Iterable[float], attempt: Callable[[float], tuple[Row, str]], progress: Progress
) -> tuple[Table, float, dict[float, Table]]:
    """Try one rate after another until one does not hold. attempt: gives a rate's table row and its result in words.

    Gives the rows, the highest rate that held (0 for none), and the use of each process at that rate, by the rate.
    """
    rows, highest, used = Table(), 0.0, dict[float, Table]()
    for rate in sorted(rates):
        catch_up(stack)
        looking = Usage(stack)
        row, words = attempt(rate)
        rows.append(row)
        holds = "holds" if row["holds"] else "does not hold"
        progress(f"{words}, the lake {row['behind_s']:g} s behind: {holds}")
        if not row["holds"]:
            break
        highest, used = rate, {rate: looking.table()}
    return rows, highest, used


def behind_seconds(stack: Stack, source: Source = OLTP) -> float:
    """The age in seconds of that database's newest published heartbeat."""
    return time.time() - (history.newest(stack).beat_of(source.name) or 0) / 1e6


def catch_up(stack: Stack) -> None:
    """Wait until the lake has caught up with an earlier rate's rows, at most CATCH_UP_SECONDS.

    After that the next rate begins all the same, and its row shows how far the lake was behind.
    """
    deadline = Deadline(CATCH_UP_SECONDS)
    while behind_seconds(stack) > MOST_BEHIND_SECONDS / 2 and not deadline.expired:
        deadline.pause(0.5)


def serve_in_time(traffic: Traffic, seconds: float) -> tuple[TrafficReport, float]:
    """Send for `seconds`; gives the report, and the share of the due calls that was acknowledged by then."""
    share = 0.0

    def note(counts: Counts, elapsed: float) -> None:
        nonlocal share
        # Answers after the end of sending are not in time. `note` is called every two seconds, which is enough here.
        if elapsed <= seconds:
            share = counts.acknowledged / max(1, counts.asked)

    return serve_in_new_loop(traffic, seconds, note), share


def _try(stack: Stack, how: str, enter_shop: EnterShop, rate: float, seconds: float) -> Row:
    run = f"{new_run(int(rate))}-{how}"
    report, share = serve_in_time(traffic_to(enter_shop, stack, rate, int(rate), run), seconds)
    behind = behind_seconds(stack)
    holds = share >= LEAST_ACKNOWLEDGED and report.counts.refused == 0 and behind <= MOST_BEHIND_SECONDS
    return {
        "by": how,
        "asked_per_s": rate,
        "acknowledged_per_s": report.acknowledged_per_second,
        "orders_per_s": round(report.counts.orders / report.seconds, 1),
        "in_time_percent": round(share * 100, 1),
        "refused": report.counts.refused,
        "unclear": report.counts.unclear,
        "p50_ms": report.call_ms.get("p50"),
        "p99_ms": report.call_ms.get("p99"),
        "behind_s": round(behind, 1),
        "holds": holds,
    }


BENCHMARK = Benchmark(
    "rate",
    "the highest rate that holds for a minute over the whole path, by SQL and by HTTP",
    (
        *("order-service", "kafka", "connect", "flink-jobmanager", "flink-taskmanager"),
        *("nessie", "publisher", "lag-exporter"),
    ),
    run,
)
