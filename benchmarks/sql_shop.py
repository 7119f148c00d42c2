"""A shop without HTTP: shoppers call the order service's own store, from their process.

Statements, transactions and ledger are the same as with HTTP, so `check` knows these orders.
"""

import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import CLONE
from lakeproof.deadline import Deadline
from lakeproof.ledger.calls import Event
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.ledger import read_lines
from lakeproof_shop.customers.shoppers.own_process import ShoppersProcess
from lakeproof_shop.customers.shoppers.plan import MIX, Basket
from lakeproof_shop.customers.shoppers.report import TrafficReport
from lakeproof_shop.customers.shoppers.storefront import Answer, Shop, Word
from lakeproof_shop.customers.shoppers.traffic import Traffic, new_run
from lakeproof_shop.services.order.app import connector_of
from lakeproof_shop.services.order.metrics import OrderMetrics
from lakeproof_shop.services.order.models import Op, Order
from lakeproof_shop.services.order.requests import CreateRequest, ItemRequest, ItemsRequest
from lakeproof_shop.services.order.store import Changed, OrderRefused, OrderStore
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseTrouble
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.operation import operation

type EnterShop = Callable[[], AbstractAsyncContextManager[Shop]]


class SqlShop:
    """A `Shop` on the stack's order database."""

    def __init__(self, stack: Stack) -> None:
        self._seconds = stack.settings.shop.request_seconds
        self._pool = ConnectionPool(connector_of(stack), stack.settings.shop.pool_size)
        self._store = OrderStore(self._pool, OrderMetrics())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        """Create the order with the client key `key`."""
        request = CreateRequest(customer_id=customer_id, items=_items(basket))
        asked = operation(Op.CREATE, key, None, request.canonical())
        return await self._answer(lambda deadline: self._store.create(request, asked, deadline))

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        """Pay, change, cancel or delete `order`, at the version in `order`."""
        assert order.id is not None
        items = ItemsRequest(items=_items(basket)) if basket is not None else None
        asked = operation(op, operation_key, order.id, items.canonical() if items is not None else "")
        change = functools.partial(self._store.change, order.id, asked, expected_version=order.version, items=items)
        return await self._answer(lambda deadline: change(deadline=deadline))

    async def read(self, key: str) -> Answer:
        """Read the order with the client key `key`; OK without an order where there is none."""

        async def find(deadline: Deadline) -> Changed:
            order = await self._store.find_by_key(key, deadline)
            return Changed(order.id or 0 if order else 0, order.version if order else 0, order)

        return await self._answer(find)

    async def is_under_way(self, key: str) -> bool | None:
        """Always False: this shop has no checkouts."""
        return False

    async def _answer(self, call: Callable[[Deadline], Awaitable[Changed]]) -> Answer:
        try:
            changed = await call(Deadline(self._seconds))
        except OrderRefused as error:
            return Answer(Word.REFUSED, error.why)
        except CommitUnclear:
            return Answer(Word.UNCLEAR, "commit without an answer")
        except DatabaseTrouble as error:
            return Answer(Word.UNAVAILABLE, type(error).__name__)
        return Answer(Word.OK, order=changed.order, version=changed.version)


def sql_shoppers(stack: Stack, orders_per_second: float, word: str) -> ShoppersProcess:
    """Start shoppers by SQL who create that many orders per second until `stop`, and also pay, change, cancel and
    delete (0.6 more calls for each order). They have a process of their own, so that no measurement holds them up.

    word: the end of the run's name.
    """
    seed = int(orders_per_second)
    run = f"{new_run(seed)}-{word}"
    return ShoppersProcess(run, functools.partial(_traffic, stack, orders_per_second, seed, run), CLONE)


def _traffic(stack: Stack, orders_per_second: float, seed: int, run: str) -> Traffic:
    return traffic_to(lambda: SqlShop(stack), stack, orders_per_second / MIX[Op.CREATE], seed, run)


def traffic_to(enter_shop: EnterShop, stack: Stack, calls_per_second: float, seed: int, run: str) -> Traffic:
    """Traffic of shoppers of that shop, who write into the stack's ledger."""
    longest = stack.settings.shop.request_seconds + 2.0
    return Traffic(enter_shop, stack.ledger_dir, rate=calls_per_second, seed=seed, run=run, call_seconds=longest)


def created_at(report: TrafficReport) -> dict[int, float]:
    """Order id → when its creation was acknowledged (UNIX seconds), from the ledger of a run that has ended."""
    return {
        line.order.id: line.at_us / 1e6
        for line in read_lines(Path(report.ledger))
        if line.op is Op.CREATE and line.event is Event.OK and line.order is not None and line.order.id is not None
    }


def _items(basket: Basket) -> list[ItemRequest]:
    return [
        ItemRequest(sku=sku, quantity=quantity, unit_price=Decimal(price)) for sku, quantity, price in basket.items
    ]
