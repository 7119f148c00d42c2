"""checkout: the highest rate of purchases that holds for a minute over all six services, their stores and the lake.

The load is that of `lakeproof traffic --purchases`: buyers who also browse, cancel, return, complain and opt out, and
three calls to the order service beside each purchase. A rate holds when at least 98 % of the due calls are
acknowledged by the end of sending (a declined card is an answer too), nothing is refused, unclear or unread, p95 of a
purchase is at most 5 s, and the lake keeps up: at the end, MariaDB's newest published heartbeat is at most 10 s old,
PostgreSQL's at most 10 s plus its checkpoint interval. Rates rise until one does not hold. The orders stay in the
stack's shop and ledger.
"""

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.rate import (
    HIGHEST,
    LEAST_ACKNOWLEDGED,
    MOST_BEHIND_SECONDS,
    Row,
    behind_seconds,
    rise,
    serve_in_time,
)
from lakeproof.lake.sources.source import SHOP
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import new_run, of_stack

RATES = (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
SECONDS = 60.0
CALLS_PER_PURCHASE = 3.0
LONGEST_PURCHASE_MS = 5_000.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where Nessie or the supervisor does not answer; TerminalError without goods."""

    def attempt(rate: float) -> tuple[Row, str]:
        row = _try(stack, rate, options.seconds or SECONDS)
        return row, f"{rate:g} purchases/s: {row['bought_per_s']:g} bought, p95 {row['p95_ms']:g} ms"

    rows, highest, used = rise(stack, options.rates or RATES, attempt, progress)
    tables = {f"by process at {rate:g} purchases/s, {HIGHEST}": table for rate, table in used.items()}
    return Result(
        "checkout",
        options,
        {f"purchases per second, {CALLS_PER_PURCHASE:g} calls to the order service beside each": rows, **tables},
        [Ratio("highest rate that held to the highest that was tried", round(highest / rows[-1]["asked_per_s"], 2))],
        [f"highest that held: {highest:g} purchases/s and {highest * CALLS_PER_PURCHASE:g} calls/s beside them"],
    )


def _try(stack: Stack, rate: float, seconds: float) -> Row:
    seed = int(rate * 10)
    traffic = of_stack(stack, rate * CALLS_PER_PURCHASE, seed, f"{new_run(seed)}-checkout", purchase_rate=rate)
    report, share = serve_in_time(traffic, seconds)
    behind, shop_behind, counts = behind_seconds(stack), behind_seconds(stack, SHOP), report.counts
    p95 = report.purchase_ms.get("p95", 0.0)
    return {
        "asked_per_s": rate,
        "bought_per_s": round(counts.bought / report.seconds, 2),
        "in_time_percent": round(share * 100, 1),
        "cancelled": counts.cancelled,
        "returned": counts.returned,
        "refused": counts.refused,
        "unclear": counts.unclear,
        "unread": counts.unread,
        "p50_ms": report.purchase_ms.get("p50"),
        "p95_ms": p95,
        "p99_ms": report.purchase_ms.get("p99"),
        "behind_s": round(behind, 1),
        "shop_behind_s": round(shop_behind, 1),
        "holds": (
            share >= LEAST_ACKNOWLEDGED
            and counts.bought > 0
            and counts.refused == counts.unclear == counts.unread == 0
            and p95 <= LONGEST_PURCHASE_MS
            and behind <= MOST_BEHIND_SECONDS
            and shop_behind <= MOST_BEHIND_SECONDS + SHOP.checkpoint_seconds(stack)
        ),
    }


BENCHMARK = Benchmark(
    "checkout",
    "the highest rate of purchases that holds for a minute over all services",
    (
        *(f"{name}-service" for name in ("order", "payment", "inventory", "fulfillment", "support", "notification")),
        *("cassandra-node2", "cassandra-node3", "kafka", "connect", "flink-jobmanager", "flink-taskmanager"),
        *("nessie", "publisher", "projector", "shop-capture"),
    ),
    run,
)
