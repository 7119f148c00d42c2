"""A buyer: one purchase at the checkout, and its cancelling or return. The ledger records what becomes of its order.

One call of the buyer makes the order (version 1), and pays or cancels it (version 2). So both versions are written as
asked for before the call, and the order that the shop shows once the checkout has ended is written as acknowledged.
"""

import asyncio
import time
from dataclasses import replace

from lakeproof.ledger.calls import Event, now_us
from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.ledger import Line
from lakeproof_shop.customers.shoppers.counter import Counter, End, Told
from lakeproof_shop.customers.shoppers.purchases import Purchase
from lakeproof_shop.customers.shoppers.report import Tally
from lakeproof_shop.customers.shoppers.shopper import order_wanted, pause
from lakeproof_shop.customers.shoppers.storefront import Shop, Word
from lakeproof_shop.services.checkout.models import Undoing, order_key_of
from lakeproof_shop.services.order.models import Op, Order, Status

# For each undoing: the operation on the order, what the counter says then, and the order's status.
_UNDONE = {
    Undoing.CANCEL: (Op.CANCEL, End.CANCELLED, Status.CANCELLED),
    Undoing.RETURN: (Op.RETURN, End.RETURNED, Status.RETURNED),
}
LOOK_SECONDS = (0.2, 0.5, 1.0, 2.0)  # pauses between looks; the last one repeats


class Buyer:
    """Owns the checkout `key`. `bought`: the order, once it is paid for certain."""

    def __init__(
        self, key: str, counter: Counter, shop: Shop, ledger: Ledger, tally: Tally, over: asyncio.Event
    ) -> None:
        self.key, self.order_key = key, order_key_of(key)
        self._counter, self._shop, self._ledger, self._tally, self._over = counter, shop, ledger, tally, over
        self._in_doubt = False
        self.bought: Order | None = None

    async def buy(self, purchase: Purchase) -> None:
        """Buy; returns once the outcome is in the ledger, or the traffic is over. Raises: LedgerBroken."""
        made = order_wanted(self.order_key, purchase.customer_id, purchase.basket)
        paid = replace(made, status=Status.PAID.value, version=2)
        await self._write(Op.CREATE, Event.INVOKE, 1, made)
        await self._write(Op.PAY, Event.INVOKE, 2, paid)
        self._tally.sent += 1
        started = time.perf_counter()
        told = await self._counter.buy(self.key, purchase)
        took = time.perf_counter() - started
        self._tally.call_seconds.append(took)
        self._tally.purchase_seconds.append(took)
        if told.end is End.NEVER_BEGUN:
            await self._refused(told.reason)
            return
        tries = 0
        while not await self._is_settled(told, paid):
            if self._over.is_set():
                return
            if not self._in_doubt:
                self._in_doubt = True
                await self._write(Op.PAY, Event.UNCLEAR, 2, paid, told.reason)
                self._tally.doubt()
            await pause(LOOK_SECONDS[min(tries, len(LOOK_SECONDS) - 1)], self._over)
            tries += 1
            told = await self._counter.look(self.key)
            if told.end is End.NEVER_BEGUN:  # the first call was lost on its way, so begin again
                told = await self._counter.buy(self.key, purchase)

    async def undo(self, undoing: Undoing) -> None:
        """Cancel or return what was bought; returns as `buy` does. Raises: LedgerBroken."""
        assert self.bought is not None
        before = self.bought
        op, end, status = _UNDONE[undoing]
        after = replace(before, status=status.value, version=before.version + 1, updated_at=None)
        await self._write(op, Event.INVOKE, after.version, after)
        self._tally.asked += 1
        self._tally.sent += 1
        self._in_doubt, tries = False, 0
        while True:
            told = await self._counter.undo(self.key, undoing)
            if told.end in (End.REFUSED, End.NEVER_BEGUN) and not self._in_doubt:
                await self._write(op, Event.REFUSED, before.version, before, told.reason)
                self._tally.refuse(told.reason)
                return
            if told.end in (end, End.REFUSED) and await self._is_undone(op, before, after, told):
                return
            if not self._in_doubt:
                self._in_doubt = True
                await self._write(op, Event.UNCLEAR, after.version, after, told.reason)
                self._tally.doubt()
            await pause(LOOK_SECONDS[min(tries, len(LOOK_SECONDS) - 1)], self._over)
            tries += 1
            if self._over.is_set():
                return

    async def _is_undone(self, op: Op, before: Order, after: Order, told: Told) -> bool:
        """Write the order as it is after a clear word (undone, or refused). False where a further look is needed."""
        found = await self._shop.read(self.order_key)
        order = found.order
        if found.word is not Word.OK or order is None:
            return False
        undone = told.end is not End.REFUSED
        if undone and order.version < after.version:
            return False  # an old copy was read, or the answer came too early: look again
        self._check(op, after if undone else before, order)
        await self._known(op, order.version, order, told.reason)
        if undone:
            self._tally.updates += 1
            self._tally.cancelled += op is Op.CANCEL
            self._tally.returned += op is Op.RETURN
        return True

    async def _is_settled(self, told: Told, paid: Order) -> bool:
        """Write what became of the order, and give True, where that is final."""
        if told.end not in (End.BOUGHT, End.FAILED) or (told.end is End.FAILED and not told.all_done):
            return False
        found = await self._shop.read(self.order_key)
        if found.word is not Word.OK:
            return False
        order = found.order
        if told.end is End.FAILED and order is None:
            await (self._known(Op.PAY, 0, None, told.reason) if self._in_doubt else self._refused(told.reason))
            return True
        wanted = paid if told.end is End.BOUGHT else replace(paid, status=Status.CANCELLED.value)
        if order is None or order.version < wanted.version:
            return False  # not yet: the order is marked as paid right after the money was taken
        self._check(Op.PAY, wanted, order)
        await self._known(Op.PAY, order.version, order, told.reason)
        self._tally.orders += 1
        self._tally.updates += 1
        if told.end is End.BOUGHT:
            self._tally.bought += 1
            self.bought = order
        else:
            self._tally.decline(told.reason)
        return True

    def _check(self, op: Op, wanted: Order, order: Order) -> None:
        """Count an order that is not what was asked for."""
        if not wanted.describes(order):
            difference = wanted.differences(order)
            self._tally.mismatch(f"{self.order_key}: {op} at version {wanted.version}: {difference}")

    async def _known(self, op: Op, version: int, order: Order | None, reason: str) -> None:
        """Write what became of the order: it is settled after a doubt, else acknowledged."""
        await self._write(op, Event.SETTLED if self._in_doubt else Event.OK, version, order, reason)
        if self._in_doubt:
            self._tally.settle()
        else:
            self._tally.acknowledged += 1

    async def _refused(self, reason: str) -> None:
        await self._write(Op.PAY, Event.REFUSED, 0, None, reason)
        self._tally.refuse(reason)

    async def _write(self, op: Op, event: Event, version: int, order: Order | None, reason: str = "") -> None:
        await self._ledger.append(
            Line(now_us(), self._ledger.run, self.order_key, op, 1, event, version, order, reason)
        )
