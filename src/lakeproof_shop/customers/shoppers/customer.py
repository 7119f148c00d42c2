"""A customer: browses, opts out, buys, complains, cancels or returns, opts in again, as it was planned.

Calls about the order are in the ledger (buyer.py), calls to support and notification in the contacts' ledger.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from lakeproof.ledger.calls import Event, now_us
from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.contacts import Contact, Kind
from lakeproof_shop.customers.shoppers.buyer import Buyer
from lakeproof_shop.customers.shoppers.counter import Counter
from lakeproof_shop.customers.shoppers.desk import Reply, ServiceDesk
from lakeproof_shop.customers.shoppers.purchases import Purchase
from lakeproof_shop.customers.shoppers.report import Tally
from lakeproof_shop.customers.shoppers.shopper import pause
from lakeproof_shop.customers.shoppers.storefront import Shop, Word
from lakeproof_shop.services.checkout.models import Undoing
from lakeproof_shop.services.order.models import Order

UNWANTED = ("order/email",)
AGAIN_SECONDS = (0.5, 1.0, 2.0, 3.0)  # pauses between tries to learn a call's outcome; the last one repeats
LOOK_SECONDS = 0.5
PATIENCE_LOOKS = 60  # for the checkout's last steps, and for the parcel


class Customer:
    """Owns the checkout `key`, and the contacts about it."""

    def __init__(
        self,
        key: str,
        counter: Counter,
        desk: ServiceDesk,
        shop: Shop,
        ledgers: tuple[Ledger, Ledger],
        tally: Tally,
        over: asyncio.Event,
    ) -> None:
        """`ledgers`: the orders', and the contacts'."""
        self.key, self._counter, self._desk, self._tally, self._over = key, counter, desk, tally, over
        ledger, self._contacts = ledgers
        self._shop = shop
        self._buyer = Buyer(key, counter, shop, ledger, tally, over)

    async def shop(self, purchase: Purchase) -> None:
        """Do everything as planned. Once the traffic is over nothing new is begun. Raises: LedgerBroken."""
        wishes = purchase.wishes
        if wishes.browses:
            for sku, _, _ in purchase.basket.items:
                self._tally.read(await self._counter.browse(sku))
        if wishes.opts_out and await self._prefer("opt-out", purchase.customer_id, UNWANTED):
            self._tally.opt_outs += 1
        if self._over.is_set():
            return
        await self._buyer.buy(purchase)
        if (order := self._buyer.bought) is not None:
            await self._after(purchase, order)
        if wishes.opts_in and not self._over.is_set() and await self._prefer("opt-in", purchase.customer_id, ()):
            self._tally.opt_ins += 1

    async def _after(self, purchase: Purchase, order: Order) -> None:
        """What a customer does after a purchase: reads the order, complains, cancels or returns."""
        wishes = purchase.wishes
        if wishes.browses and not self._over.is_set():
            self._tally.read((await self._shop.read(self._buyer.order_key)).word is Word.OK)
        if wishes.complains and not self._over.is_set():
            await self._complain(order, attaches=wishes.attaches)
        if wishes.undoing is not None:
            await self._wait_for_the_parcel(order, wishes.undoing)
            if not self._over.is_set():
                await self._buyer.undo(wishes.undoing)

    async def _complain(self, order: Order, *, attaches: bool) -> None:
        key = f"{self.key}:complaint"
        message, order_id = f"{key}: what came is not what I ordered.", order.id
        assert order_id is not None
        case_id = await self._tell(
            Contact(0, "", key, Kind.COMPLAINT, Event.INVOKE, order.customer_id, order_id, message),
            lambda: self._desk.complain(key, order.customer_id, order_id, message),
        )
        if not case_id:
            return
        self._tally.complaints += 1
        if attaches and not self._over.is_set():
            content = f"A list of what came with {self.key}\n".encode()
            asked = f"{self.key}:attachment"
            told = Contact(
                *(0, "", asked, Kind.ATTACHMENT, Event.INVOKE, order.customer_id, order_id),
                hashlib.sha256(content).hexdigest(),
                case_id,
            )
            if await self._tell(told, lambda: self._desk.attach(asked, case_id, content)):
                self._tally.attachments += 1
        self._tally.read(await self._desk.read_timeline(case_id))

    async def _prefer(self, what: str, customer_id: int, opted_out: tuple[str, ...]) -> bool:
        key = f"{self.key}:{what}"
        told = Contact(0, "", key, Kind.PREFERENCES, Event.INVOKE, customer_id, None, ",".join(opted_out))
        return bool(await self._tell(told, lambda: self._desk.prefer(key, customer_id, opted_out)))

    async def _tell(self, asked: Contact, call: Callable[[], Awaitable[Reply]]) -> int:
        """Write, call, write; repeat under the same key until the answer is clear. Gives the ref; 0 without one."""
        await self._write(asked, Event.INVOKE)
        self._tally.asked += 1
        self._tally.sent += 1
        tries, in_doubt = 0, False
        while True:
            reply = await call()
            if reply.word is Word.OK:
                await self._write(asked, Event.SETTLED if in_doubt else Event.OK, reply)
                if in_doubt:
                    self._tally.settle()
                else:
                    self._tally.acknowledged += 1
                return reply.ref
            if reply.word is not Word.UNCLEAR and not in_doubt:
                await self._write(asked, Event.REFUSED, reply)
                self._tally.refuse(reply.reason)
                return 0
            if not in_doubt:
                in_doubt = True
                await self._write(asked, Event.UNCLEAR, reply)
                self._tally.doubt()
            await pause(AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)], self._over)
            tries += 1
            if self._over.is_set():
                return 0

    async def _write(self, asked: Contact, event: Event, reply: Reply | None = None) -> None:
        ref, reason = (reply.ref or asked.ref, reply.reason) if reply is not None else (asked.ref, "")
        run = self._contacts.run
        await self._contacts.append(
            Contact(
                *(now_us(), run, asked.key, asked.kind, event, asked.customer_id, asked.order_id, asked.text),
                ref,
                reason,
            )
        )

    async def _wait_for_the_parcel(self, order: Order, undoing: Undoing) -> None:
        """Wait for the checkout's last steps and, before a return, for shipping: an earlier undoing is refused."""
        assert order.id is not None
        for _ in range(PATIENCE_LOOKS):
            if self._over.is_set():
                return
            told = await self._counter.look(self.key)
            if told.all_done and (undoing is Undoing.CANCEL or await self._desk.is_shipped(order.id)):
                return
            await pause(LOOK_SECONDS, self._over)
