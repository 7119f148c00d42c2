"""A shopper: the only writer of one order, one call at a time, with a line in the ledger before and after each."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from lakeproof.ledger.calls import Event, now_us
from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.ledger import Line, State
from lakeproof_shop.customers.shoppers.plan import Basket, Visit
from lakeproof_shop.customers.shoppers.report import Tally
from lakeproof_shop.customers.shoppers.storefront import Answer, Shop, Word
from lakeproof_shop.services.order.models import Item, Op, Order, Status

SETTLE_SECONDS = (0.5, 1.0, 2.0, 3.0)  # pauses between tries to learn an unclear outcome; the last one repeats


class Shopper:
    """Owns the order `key`. Visits given to it are done one after the other, by `shop`."""

    def __init__(self, key: str, shop: Shop, ledger: Ledger, tally: Tally, over: asyncio.Event) -> None:
        self.key = key
        self._shop, self._ledger, self._tally, self._over = shop, ledger, tally, over
        self._order: Order | None = None
        self._version = 0
        self.visits: deque[Visit] = deque()
        self.busy = False

    async def shop(self) -> None:
        """Do the visits in the queue. Raises: LedgerBroken; no call under way is believed then."""
        while self.visits:
            visit = self.visits.popleft()
            if visit.op is Op.CREATE or self._order is not None:
                await self._do(visit)

    async def _do(self, visit: Visit) -> None:
        wanted = self._wanted(visit)
        version = self._version + 1
        call = self._call(visit)
        attempt = 1
        await self._write(visit.op, attempt, Event.INVOKE, version, wanted)
        self._tally.sent += 1
        started = time.perf_counter()
        answer = await call()
        self._tally.call_seconds.append(time.perf_counter() - started)
        if answer.word is Word.OK:
            self._check(visit.op, wanted, version, answer)
            await self._write(visit.op, attempt, Event.OK, answer.version, answer.order)
            self._tally.acknowledged += 1
            self._count(visit.op)
            self._believe(answer.order, answer.version)
            return
        if answer.word is not Word.UNCLEAR:
            await self._write(visit.op, attempt, Event.REFUSED, self._version, self._order, answer.reason)
            self._tally.refuse(answer.reason)
            return
        await self._write(visit.op, attempt, Event.UNCLEAR, version, wanted, answer.reason)
        self._tally.doubt()
        await self._settle(visit.op, call, version, wanted)

    async def _settle(
        self, op: Op, call: Callable[[], Awaitable[Answer]], version: int, wanted: Order | None
    ) -> None:
        """Repeat the call under its own key until its outcome is known, or the traffic is over.

        The key makes the call idempotent: repeats cannot act twice. Once a repeat was answered, the first try cannot
        act any more either, even if it still hangs somewhere.
        """
        attempt = 1
        while not self._over.is_set():
            await pause(SETTLE_SECONDS[min(attempt, len(SETTLE_SECONDS)) - 1], self._over)
            attempt += 1
            await self._write(op, attempt, Event.INVOKE, version, wanted)
            answer = await call()
            if answer.word is Word.REFUSED:
                # The shop refuses for good. Either the first try did nothing, or something else happened: read.
                reason = answer.reason
                answer = await self._shop.read(self.key)
                if answer.word is Word.OK:
                    answer = self._read(State(version, wanted, 0), answer, reason)
            elif answer.word is Word.OK:
                self._check(op, wanted, version, answer)
                self._count(op)
            if answer.word is Word.OK:
                await self._write(op, attempt, Event.SETTLED, answer.version, answer.order, answer.reason)
                self._tally.settle()
                self._believe(answer.order, answer.version)
                return
            event = Event.UNCLEAR if answer.word is Word.UNCLEAR else Event.REFUSED
            await self._write(op, attempt, event, version, wanted, answer.reason)
        self._order = None  # the order's state is unknown, so no further visit may build on it

    def _read(self, after: State, answer: Answer, reason: str) -> Answer:
        """The outcome, by a read, of a call that would lead to `after`. UNCLEAR where it shows a third state."""
        before = State(self._version, self._order, 0)
        shown = next((state for state in (before, after) if state.allows(answer.order)), None)
        if shown is None:
            return replace(answer, word=Word.UNCLEAR, reason=f"{reason}; the shop shows neither state")
        return replace(answer, version=shown.version, reason=reason)

    def _call(self, visit: Visit) -> Callable[[], Awaitable[Answer]]:
        if visit.op is Op.CREATE:
            assert visit.basket is not None
            basket = visit.basket
            return lambda: self._shop.create(self.key, visit.customer_id, basket)
        assert self._order is not None
        order, operation_key = self._order, f"{self.key}.v{self._version + 1}"
        return lambda: self._shop.change(visit.op, order, operation_key, visit.basket)

    def _wanted(self, visit: Visit) -> Order | None:
        """The order as it must be after the visit; fields that only the shop decides are None."""
        if visit.op is Op.DELETE:
            return None
        if visit.op is Op.CREATE:
            assert visit.basket is not None
            return order_wanted(self.key, visit.customer_id, visit.basket)
        assert self._order is not None
        before = self._order
        after = replace(
            before,
            status=visit.op.status_after(Status(before.status)),
            version=before.version + 1,
            updated_at=None,
        )
        if visit.basket is None:
            return after
        items = _items(visit.basket, before.items)
        return replace(after, items=items, item_count=len(items), total=visit.basket.total)

    def _check(self, op: Op, wanted: Order | None, version: int, answer: Answer) -> None:
        """Count an answer that is not what was asked for. The ledger keeps it as it came, and `check` judges it."""
        if difference := State(version, wanted, 0).difference(answer.version, answer.order):
            self._tally.mismatch(f"{self.key}: {op} at version {version}: {difference}")

    def _count(self, op: Op) -> None:
        if op is Op.CREATE:
            self._tally.orders += 1
        elif op is Op.DELETE:
            self._tally.deletes += 1
        else:
            self._tally.updates += 1

    def _believe(self, order: Order | None, version: int) -> None:
        self._order, self._version = order, version

    async def _write(
        self, op: Op, attempt: int, event: Event, version: int, order: Order | None, reason: str = ""
    ) -> None:
        await self._ledger.append(
            Line(now_us(), self._ledger.run, self.key, op, attempt, event, version, order, reason)
        )


def order_wanted(key: str, customer_id: int, basket: Basket) -> Order:
    """A new order as it must be; fields that only the shop decides are None."""
    items = _items(basket, ())
    return Order(None, key, customer_id, Status.CREATED, basket.total, len(items), 1, None, None, items)


def _items(basket: Basket, before: tuple[Item, ...]) -> tuple[Item, ...]:
    """The basket's lines; a line that replaces one of `before` keeps its id."""
    ids = {item.line: item.id for item in before}
    return tuple(
        Item(ids.get(line), line, sku, quantity, price)
        for line, (sku, quantity, price) in enumerate(basket.items, start=1)
    )


async def pause(seconds: float, over: asyncio.Event) -> None:
    """Wait this long, or until the traffic is over."""
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        return
