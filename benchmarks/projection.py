"""projection: from an order's commit in MariaDB to the service's own read of it, at fixed rates by SQL.

The read is GET /support/customers/{id}/orders. For a few orders per second it is repeated from their commit until it
shows them. Shoppers also pay, change, cancel and delete, as in `freshness`. All times are of this machine's clock.
"""

import functools
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.sql_shop import SqlShop, traffic_to
from benchmarks.usage import used_during
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.handle import TrafficHandle
from lakeproof_shop.customers.shoppers.plan import MIX, Basket
from lakeproof_shop.customers.shoppers.report import TrafficReport, percentiles_ms
from lakeproof_shop.customers.shoppers.storefront import Answer, Word
from lakeproof_shop.customers.shoppers.traffic import new_run
from lakeproof_shop.services.order.models import Op

RATES = (50.0, 200.0)
SECONDS = 60.0
WARM_SECONDS = 15.0
SAMPLE_SECONDS = 0.2
POLL_SECONDS = 0.01
GIVE_UP_SECONDS = 20.0
AT_ONCE = 8
AIM_P99_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """An order that is timed. committed_at: UNIX seconds at which its shopper saw the commit."""

    order_id: int
    customer_id: int
    committed_at: float


class SampledShop(SqlShop):
    """A shop by SQL that puts one of its new orders per SAMPLE_SECONDS into a queue."""

    def __init__(self, stack: Stack, samples: "queue.SimpleQueue[Sample | None]") -> None:
        super().__init__(stack)
        self._samples, self._next_at = samples, 0.0

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        """As SqlShop.create."""
        answer = await super().create(key, customer_id, basket)
        now = time.time()
        if answer.word is Word.OK and answer.order is not None and answer.order.id and now >= self._next_at:
            self._next_at = now + SAMPLE_SECONDS
            self._samples.put(Sample(answer.order.id, customer_id, now))
        return answer


class Watch:
    """Reads each sample from the service, repeatedly, until the service shows it.

    seen: sample → seconds from its commit. missed: samples that were not shown within GIVE_UP_SECONDS.
    asked, failed: the number of reads, and of those without a readable answer.
    """

    def __init__(self, url: str) -> None:
        self.samples: queue.SimpleQueue[Sample | None] = queue.SimpleQueue()
        self.seen: dict[Sample, float] = {}
        self.missed: list[Sample] = []
        self.asked, self.failed = 0, 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="projection")
        self._client = httpx.Client(base_url=url, timeout=6.0, trust_env=False)
        self._threads = [self._pool.submit(self._look) for _ in range(AT_ONCE)]

    def stop(self) -> None:
        """Finish the samples in the queue, then end."""
        for _ in self._threads:
            self.samples.put(None)
        self._pool.shutdown()
        self._client.close()

    def _look(self) -> None:
        while (sample := self.samples.get()) is not None:
            deadline = Deadline(GIVE_UP_SECONDS)
            while not (shown := self._shows(sample)) and not deadline.expired:
                deadline.pause(POLL_SECONDS)
            with self._lock:
                if shown:
                    self.seen[sample] = time.time() - sample.committed_at
                else:
                    self.missed.append(sample)

    def _shows(self, sample: Sample) -> bool:
        with self._lock:
            self.asked += 1
        try:
            answer = self._client.get(f"/support/customers/{sample.customer_id}/orders", params={"limit": 100})
            answer.raise_for_status()
            return any(order["order_id"] == sample.order_id for order in answer.json()["orders"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):  # no answer, or another one than a list of orders
            with self._lock:
                self.failed += 1
            return False


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where no order was seen."""
    rows, usage_tables, ratios = [], {}, []
    for rate in options.rates or RATES:
        progress(f"{rate:g} orders/s: {WARM_SECONDS:g} s of warming, then {options.seconds or SECONDS:g} s")
        row, usage = _at_rate(stack, rate, options.seconds or SECONDS)
        rows.append(row)
        usage_tables[f"by process at {rate:g} orders/s (percent of one core)"] = usage
        told = f"commit → the service's own read p99 at {rate:g} orders/s to {AIM_P99_SECONDS:g} s"
        ratios.append(Ratio.at_most(told, row["read_p99_s"], AIM_P99_SECONDS))
    return Result("projection", options, {"seconds from commit, by SQL": rows, **usage_tables}, ratios)


def _at_rate(stack: Stack, rate: float, seconds: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    watch = Watch(stack.url("support-service"))
    seed = int(rate)
    run = f"{new_run(seed)}-projection"
    enter_shop = functools.partial(SampledShop, stack, watch.samples)
    handle = TrafficHandle(traffic_to(enter_shop, stack, rate / MIX[Op.CREATE], seed, run))
    try:
        Deadline(WARM_SECONDS).pause(WARM_SECONDS)
        used, started, ended = used_during(stack, seconds)
        report = handle.stop()
    finally:
        handle.stop()
        watch.stop()
    return row_of(rate, watch, report, started, ended), used


def row_of(rate: float, watch: Watch, report: TrafficReport, started: float, ended: float) -> dict[str, Any]:
    """The table row for the samples committed between two instants. Raises: CouldNotLook where none was seen."""
    delays = [delay for sample, delay in watch.seen.items() if started <= sample.committed_at < ended]
    if not delays:
        raise CouldNotLook("no order was seen", where="support-service", next_action="lakeproof ps")
    spread = percentiles_ms(delays)
    return {
        "asked_per_s": rate,
        "orders_per_s": round(report.counts.orders / report.seconds, 1),
        "samples": len(delays),
        # Samples that were deleted before they were seen, or not shown in time.
        "not_seen": sum(started <= sample.committed_at < ended for sample in watch.missed),
        **{f"read_{name}_s": round(ms / 1000, 3) for name, ms in spread.items()},
        "reads": watch.asked,
        "failed_reads": watch.failed,
        "refused": report.counts.refused,
        "unclear": report.counts.unclear,
    }


BENCHMARK = Benchmark(
    "projection",
    "commit → the service's own read (Cassandra) p50/p95/p99 at 50 and 200 orders/s by SQL",
    (
        "mysql",
        "kafka",
        "connect",
        "flink-jobmanager",
        "flink-taskmanager",
        "lag-exporter",
        "cassandra-seed",
        "cassandra-node2",
        "cassandra-node3",
        "projector",
        "support-service",
    ),
    run,
)
