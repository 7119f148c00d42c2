"""What killed shoppers left open is settled by a look, once, and never while they live."""

from pathlib import Path

import pytest

from lakeproof.shop.ledger import Event, Line, now_us, read_ledgers
from lakeproof.shop.ledger_writer import Ledger
from lakeproof.shop.order.models import Item, Op, Order
from lakeproof.shop.shoppers.leftovers import settle_leftovers
from lakeproof.shop.shoppers.plan import Basket
from lakeproof.shop.shoppers.storefront import Answer, Word

AT = "2026-11-24T14:43:53.042722Z"


def an_order(key: str, version: int = 1) -> Order:
    return Order(7, key, 42, "created", "12.30", 1, version, AT, AT, (Item(1, 1, "sku-1", 2, "6.15"),))


class Shelf:
    """A shop that only shows its orders; closed, it gives no answer."""

    def __init__(self, *orders: Order, closed: bool = False) -> None:
        self._orders = {order.client_key: order for order in orders}
        self._closed = closed

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        raise AssertionError("nothing is sent for a call of the dead")

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        raise AssertionError("nothing is sent for a call of the dead")

    async def read(self, key: str) -> Answer:
        if self._closed:
            return Answer(Word.UNAVAILABLE, "closed")
        return Answer(Word.OK, order=self._orders.get(key))


def line(key: str, op: Op, event: Event, version: int, order: Order | None, attempt: int = 1) -> Line:
    return Line(now_us() - 60_000_000, "dead", key, op, attempt, event, version, order)


def dead_run(folder: Path) -> Path:
    """Killed with: a creation that was done, one that was not, a deletion that was done, and a torn line."""
    lines = [
        line("made", Op.CREATE, Event.INVOKE, 1, an_order("made")),
        line("made", Op.CREATE, Event.UNCLEAR, 1, an_order("made")),
        line("never", Op.CREATE, Event.INVOKE, 1, an_order("never")),
        line("gone", Op.CREATE, Event.INVOKE, 1, an_order("gone")),
        line("gone", Op.CREATE, Event.OK, 1, an_order("gone")),
        line("gone", Op.DELETE, Event.INVOKE, 2, None),
        line("refused", Op.CREATE, Event.INVOKE, 1, an_order("refused")),
        line("refused", Op.CREATE, Event.REFUSED, 1, None),
    ]
    path = folder / "dead.jsonl"
    path.write_bytes(b"".join(each.to_bytes() for each in lines) + b'{"at_us": 17, "run": "de')
    return path


async def test_each_call_is_settled_by_what_the_shop_shows(tmp_path: Path) -> None:
    dead_run(tmp_path)
    assert read_ledgers(tmp_path).unclear == 3
    assert await settle_leftovers(tmp_path, Shelf(an_order("made")), 7.0) == 3
    after = read_ledgers(tmp_path)
    assert (after.unclear, after.acknowledged) == (0, 4)
    assert after.by_key["made"].last_version_acked == 1 and not after.by_key["made"].deleted
    assert after.by_key["never"].last_version_acked == 0
    assert after.by_key["gone"].deleted and after.by_key["gone"].last_version_acked == 2


async def test_a_second_look_finds_nothing_left(tmp_path: Path) -> None:
    path = dead_run(tmp_path)
    await settle_leftovers(tmp_path, Shelf(an_order("made")), 7.0)
    settled = path.read_bytes()
    assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 0
    assert path.read_bytes() == settled


async def test_a_closed_shop_leaves_them_open(tmp_path: Path) -> None:
    dead_run(tmp_path)
    assert await settle_leftovers(tmp_path, Shelf(closed=True), 7.0) == 0
    assert read_ledgers(tmp_path).unclear == 3


async def test_a_run_whose_shoppers_live_is_left_alone(tmp_path: Path) -> None:
    async with Ledger.open(tmp_path, "alive") as ledger:
        await ledger.append(Line(now_us() - 60_000_000, "alive", "k", Op.CREATE, 1, Event.INVOKE, 1, an_order("k")))
        assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 0
    assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 1


@pytest.mark.parametrize("missing", ["nowhere", "."])
async def test_without_ledgers_there_is_nothing_to_settle(tmp_path: Path, missing: str) -> None:
    assert await settle_leftovers(tmp_path / missing, Shelf(), 7.0) == 0
