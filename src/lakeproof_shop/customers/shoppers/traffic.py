"""The shoppers: an open loop over HTTP. Calls are sent when due, whether or not earlier ones were answered."""

import asyncio
import contextlib
import heapq
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.ledger.writer import Ledger
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import FOLDER
from lakeproof_shop.customers.kept import KeptInStack
from lakeproof_shop.customers.shoppers.counter import Counter
from lakeproof_shop.customers.shoppers.customer import Customer
from lakeproof_shop.customers.shoppers.desk import ServiceDesk
from lakeproof_shop.customers.shoppers.leftover_contacts import Keeping, settle_contacts
from lakeproof_shop.customers.shoppers.leftovers import settle_leftovers
from lakeproof_shop.customers.shoppers.plan import Visit, plan
from lakeproof_shop.customers.shoppers.purchases import Purchase, purchases
from lakeproof_shop.customers.shoppers.report import Counts, Tally, TrafficReport
from lakeproof_shop.customers.shoppers.shopper import Shopper
from lakeproof_shop.customers.shoppers.storefront import Shop, Storefront

MAX_UNDER_WAY = 3_000
SETTLE_LIMIT_SECONDS = 60.0
CASE_SECONDS = 2.0  # between two looks of the support desk at a case
PROGRESS_SECONDS = 2.0
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

Progress = Callable[[Counts, float], None]


def new_run(seed: int) -> str:
    """A name for a run: its time and its seed."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{seed}"


@dataclass(frozen=True)
class _Met:
    """The clients for everything beside the order service, and the ledger for it."""

    counter: Counter
    desk: ServiceDesk
    contacts: Ledger


class Traffic:
    """One run of shoppers. `serve` is its whole life, in one event loop; `stop` may be called from any thread."""

    def __init__(
        self,
        enter_shop: Callable[[], AbstractAsyncContextManager[Shop]],
        ledger_dir: Path,
        *,
        rate: float,
        seed: int,
        run: str,
        call_seconds: float,
        settles_leftovers: bool = True,
        enter_counter: Callable[[], AbstractAsyncContextManager[Counter]] | None = None,
        enter_desk: Callable[[], AbstractAsyncContextManager[ServiceDesk]] | None = None,
        purchase_rate: float = 0.0,
        keeping: Keeping | None = None,
    ) -> None:
        """enter_shop: opens the shop's client, once, inside the traffic's event loop. call_seconds: limit of a call.
        rate: calls of orders per second. purchase_rate: purchases at the checkout per second, beside these.
        enter_counter, enter_desk: open the clients of the checkout, and of the services that its customers call.

        settles_leftovers: False where the earlier runs of `ledger_dir` bought in another shop.
        keeping: reads what became of the contacts of killed customers; None: these are not settled.
        Raises: InvalidInput for an impossible rate or run name.
        """
        if not 0 < rate <= 5_000:
            raise InvalidInput("not between 0 and 5000 calls per second", where=f"rate {rate:g}")
        if not _RUN.fullmatch(run):
            raise InvalidInput("letters, digits, - and _, at most 40", where=f"run {run!r}")
        self.rate, self.seed, self.run = rate, seed, run
        self._enter_shop, self._ledger_dir, self._call_seconds = enter_shop, ledger_dir, call_seconds
        self._settles_leftovers = settles_leftovers
        self._enter_counter, self._enter_desk, self._purchase_rate = enter_counter, enter_desk, purchase_rate
        self._met: _Met | None = None
        self._keeping = keeping
        self.tally = Tally()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._over: asyncio.Event | None = None
        self._stop_asked = 0

    def stop(self) -> None:
        """Send nothing new, and settle unclear calls. A second call ends the settling too."""
        self._stop_asked += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note_stop)

    def _note_stop(self) -> None:
        assert self._stop is not None and self._over is not None
        if self._stop_asked >= 1:
            self._stop.set()
        if self._stop_asked >= 2:
            self._over.set()

    async def serve(self, seconds: float | None, progress: Progress | None = None) -> TrafficReport:
        """Settle what killed shoppers left open, send for `seconds` (None: until `stop`), settle, and report.

        Raises: LedgerBroken, InvalidInput (the run has a ledger already).
        """
        self._loop = asyncio.get_running_loop()
        self._stop, self._over = asyncio.Event(), asyncio.Event()
        self._note_stop()
        async with (
            Ledger(self._ledger_dir, self.run) as ledger,
            self._enter_shop() as shop,
            AsyncExitStack() as more,
        ):
            if self._enter_counter is not None and self._enter_desk is not None and self._purchase_rate > 0:
                counter = await more.enter_async_context(self._enter_counter())
                await _stock_up(counter, self.run)
                contacts = await more.enter_async_context(Ledger(self._ledger_dir / FOLDER, self.run))
                self._met = _Met(counter, await more.enter_async_context(self._enter_desk()), contacts)
            if self._settles_leftovers:
                await self._settle(shop)
            self.tally = Tally()
            reporter = asyncio.create_task(self._show(progress)) if progress else None
            try:
                sent_seconds = await self._send(seconds, ledger, shop)
            finally:
                if reporter:
                    reporter.cancel()
            return self.tally.report(
                run=self.run, seed=self.seed, rate=self.rate, seconds=sent_seconds, ledger=str(ledger.path)
            )

    async def settle_leftovers(self) -> int:
        """Settle the calls that earlier runs left open, and send nothing. Raises: InvalidInput, LedgerBroken."""
        async with self._enter_shop() as shop:
            return await self._settle(shop)

    async def _settle(self, shop: Shop) -> int:
        settled = await settle_leftovers(self._ledger_dir, shop, self._call_seconds)
        if self._keeping is not None:
            settled += await settle_contacts(self._ledger_dir, self._keeping, self._call_seconds)
        return settled

    async def _send(self, seconds: float | None, ledger: Ledger, shop: Shop) -> float:
        """Send each visit when it is due, then wait for the shoppers to end. Gives the seconds of sending."""
        assert self._stop is not None and self._over is not None
        stop, over = self._stop, self._over
        shoppers: dict[int, Shopper] = {}
        tally, under_way = self.tally, set[asyncio.Task[None]]()
        failed: list[BaseException] = []

        def begin(work: Coroutine[Any, Any, None]) -> None:
            task = asyncio.create_task(work)
            under_way.add(task)
            task.add_done_callback(ended)

        def ended(task: asyncio.Task[None]) -> None:
            under_way.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                failed.append(error)
                stop.set()
                over.set()

        agent = asyncio.create_task(_read_cases(self._met.desk, tally)) if self._met is not None else None
        started = time.monotonic()
        for visit in self._due(seconds):
            wait = started + visit.at_seconds - time.monotonic()
            if wait > 0.001:
                # While this waits, the event loop works on answers; a visit that is due is sent without a pause.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await stop.wait()
            elif tally.asked % 50 == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                break
            tally.asked += 1
            tally.lateness_seconds.append(max(0.0, time.monotonic() - started - visit.at_seconds))
            if len(under_way) >= MAX_UNDER_WAY:
                continue
            if isinstance(visit, Purchase):
                assert self._met is not None
                key, met = f"{self.run}-b{visit.number:06d}", self._met
                customer = Customer(key, met.counter, met.desk, shop, (ledger, met.contacts), tally, over)
                begin(customer.shop(visit))
                continue
            shopper = shoppers.get(visit.number)
            if shopper is None:
                key = f"{self.run}-{visit.number:07d}"
                shopper = shoppers[visit.number] = Shopper(key, shop, ledger, tally, over)
            shopper.visits.append(visit)
            if not shopper.busy:
                shopper.busy = True
                begin(_shop(shopper))
        sent_seconds = time.monotonic() - started
        if agent is not None:
            agent.cancel()
        if under_way and not failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_LIMIT_SECONDS):
                    await asyncio.wait(set(under_way))
        over.set()
        if under_way:
            await asyncio.wait(set(under_way), timeout=self._call_seconds + 1)
        if failed:
            raise failed[0]
        return sent_seconds

    def _due(self, seconds: float | None) -> Iterator[Visit | Purchase]:
        """Visits and purchases in time order."""
        bought = purchases(self._purchase_rate, self.seed, seconds)
        return heapq.merge(plan(self.rate, self.seed, seconds), bought, key=lambda one: one.at_seconds)

    async def _show(self, progress: Progress) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            progress(self.tally.counts(), time.monotonic() - started)


async def _stock_up(counter: Counter, run: str) -> None:
    try:
        await counter.stock_up(run)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TerminalError(
            f"no goods could be brought in ({type(error).__name__}: {error})",
            where="inventory-service",
            next_action="lakeproof up inventory-service; nothing was bought",
        ) from error


async def _read_cases(desk: ServiceDesk, tally: Tally) -> None:
    """Act as the shop's own people: read the newest cases with their timelines, in turn, while customers buy."""
    turn = 0
    while True:
        await asyncio.sleep(CASE_SECONDS)
        if desk.newest_cases:
            tally.read(await desk.read_timeline(desk.newest_cases[turn % len(desk.newest_cases)]))
            turn += 1


async def _shop(shopper: Shopper) -> None:
    try:
        await shopper.shop()
    finally:
        shopper.busy = False


def of_stack(
    stack: Stack,
    rate: float,
    seed: int,
    run: str | None = None,
    base_url: str | None = None,
    purchase_rate: float = 0.0,
) -> Traffic:
    """Shoppers at a stack's order service, and buyers at its checkout, who write into the stack's ledger."""
    url = base_url if base_url is not None else stack.url("order-service")
    # Longer than the service's own limit, since a refusal by the service says more than a timeout here.
    call_seconds = stack.settings.shop.request_seconds + 2.0
    return Traffic(
        lambda: Storefront(url, call_seconds=call_seconds),
        stack.ledger_dir,
        rate=rate,
        seed=seed,
        run=run or new_run(seed),
        call_seconds=call_seconds,
        settles_leftovers=stack.has_endpoint("order-service") and url == stack.url("order-service"),
        enter_counter=lambda: Counter(url, stack.url("inventory-service"), call_seconds=call_seconds),
        enter_desk=lambda: ServiceDesk(
            *(stack.url(f"{name}-service") for name in ("support", "notification", "fulfillment")),
            call_seconds=call_seconds,
        ),
        purchase_rate=purchase_rate,
        keeping=KeptInStack(stack),
    )


def in_new_loop[T](work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in this thread, in a new event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def serve_in_new_loop(traffic: Traffic, seconds: float | None, progress: Progress | None = None) -> TrafficReport:
    """Run the whole traffic in this thread. Raises: as `Traffic.serve`."""
    return in_new_loop(traffic.serve(seconds, progress))
