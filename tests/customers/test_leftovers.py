"""What killed shoppers left open is settled by a look, once, and never while they live."""

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from lakeproof.ledger.calls import Event, now_us
from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.ledger import Line, read_ledgers
from lakeproof_shop.customers.shoppers.leftovers import settle_leftovers
from lakeproof_shop.customers.shoppers.plan import Basket
from lakeproof_shop.customers.shoppers.storefront import Answer, Word
from lakeproof_shop.customers.shoppers.traffic import Traffic, serve_in_new_loop
from lakeproof_shop.services.order.models import Item, Op, Order

AT = "2026-11-24T14:43:53.042722Z"


def an_order(key: str, version: int = 1) -> Order:
    return Order(7, key, 42, "created", "12.30", 1, version, AT, AT, (Item(1, 1, "sku-1", 2, "6.15"),))


class Shelf:
    """A shop that only shows its orders; closed, it gives no answer."""

    def __init__(self, *orders: Order, closed: bool = False, looks_until_it_ends: int = 0) -> None:
        self._orders = {order.client_key: order for order in orders}
        self._closed = closed
        self._looks_until_it_ends = looks_until_it_ends

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        raise AssertionError("nothing is sent for a call of the dead")

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        raise AssertionError("nothing is sent for a call of the dead")

    async def read(self, key: str) -> Answer:
        if self._closed:
            return Answer(Word.UNAVAILABLE, "closed")
        assert self._looks_until_it_ends == 0, "read while its checkout was under way"
        return Answer(Word.OK, order=self._orders.get(key))

    async def is_under_way(self, key: str) -> bool | None:
        self._looks_until_it_ends = max(0, self._looks_until_it_ends - 1)
        return self._looks_until_it_ends > 0


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
    assert [state.version for state in after.by_key["made"].acknowledged if state.order is not None] == [1]
    assert after.by_key["never"].last_version_acked == 0
    assert (after.by_key["gone"].acknowledged[-1].order, after.by_key["gone"].last_version_acked) == (None, 2)


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
    async with Ledger(tmp_path, "alive") as ledger:
        await ledger.append(Line(now_us() - 60_000_000, "alive", "k", Op.CREATE, 1, Event.INVOKE, 1, an_order("k")))
        assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 0
    assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 1


def changed_twice(folder: Path, op: Op, torn: bytes = b"") -> None:
    """Version 2 was acknowledged; a call that leads to version 3 is open."""
    after = None if op is Op.DELETE else an_order("k", 3)
    lines = [
        line("k", Op.CREATE, Event.INVOKE, 1, an_order("k")),
        line("k", Op.CREATE, Event.OK, 1, an_order("k")),
        line("k", Op.CHANGE, Event.INVOKE, 2, an_order("k", 2)),
        line("k", Op.CHANGE, Event.OK, 2, an_order("k", 2)),
        line("k", op, Event.INVOKE, 3, after),
    ]
    (folder / "dead.jsonl").write_bytes(b"".join(each.to_bytes() for each in lines) + torn)


@pytest.mark.parametrize("version", [2, 3])
async def test_an_order_before_or_after_its_open_call_settles_it(tmp_path: Path, version: int) -> None:
    changed_twice(tmp_path, Op.CHANGE)
    assert await settle_leftovers(tmp_path, Shelf(an_order("k", version)), 7.0) == 1
    assert read_ledgers(tmp_path).by_key["k"].last_version_acked == version


@pytest.mark.parametrize("shelf", [Shelf(an_order("k", 1)), Shelf(an_order("k", 4)), Shelf()])
async def test_a_loss_is_never_settled_away(tmp_path: Path, shelf: Shelf) -> None:
    changed_twice(tmp_path, Op.PAY)
    before = read_ledgers(tmp_path)
    assert await settle_leftovers(tmp_path, shelf, 7.0) == 0
    assert read_ledgers(tmp_path) == before


async def test_a_last_line_that_a_crash_spoilt_does_not_end_up_in_the_middle(tmp_path: Path) -> None:
    changed_twice(tmp_path, Op.DELETE, torn=b"\0\0\0rubbish\n")
    assert await settle_leftovers(tmp_path, Shelf(), 7.0) == 1
    assert read_ledgers(tmp_path).by_key["k"].acknowledged[-1].order is None


@pytest.mark.parametrize("status", ["paid", "cancelled", None])
async def test_a_checkout_is_settled_once_it_has_ended_by_what_it_came_to(
    tmp_path: Path, status: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof_shop.customers.shoppers.leftovers.asyncio.sleep", no_sleep)
    key = "checkout:dead-b1"
    lines = [
        line(key, Op.CREATE, Event.INVOKE, 1, an_order(key)),
        line(key, Op.PAY, Event.INVOKE, 2, replace(an_order(key, 2), status="paid")),
    ]
    (tmp_path / "dead.jsonl").write_bytes(b"".join(each.to_bytes() for each in lines))
    shown = [replace(an_order(key, 2), status=status)] if status else []
    assert await settle_leftovers(tmp_path, Shelf(*shown, looks_until_it_ends=4), 7.0) == 1
    after = read_ledgers(tmp_path)
    assert (after.unclear, after.by_key[key].last_version_acked) == (0, 2 if status else 0)


async def no_sleep(_: float) -> None:
    return


def test_another_shop_says_nothing_about_the_orders_of_this_one(tmp_path: Path) -> None:
    changed_twice(tmp_path, Op.PAY)
    traffic = Traffic(
        lambda: contextlib.nullcontext(Shelf()),
        tmp_path,
        rate=1.0,
        seed=1,
        run="other",
        call_seconds=7.0,
        settles_leftovers=False,
    )
    traffic.stop()
    serve_in_new_loop(traffic, 1.0)
    assert read_ledgers(tmp_path).by_key["k"].last_version_acked == 2


@pytest.mark.parametrize("missing", ["nowhere", "."])
async def test_without_ledgers_there_is_nothing_to_settle(tmp_path: Path, missing: str) -> None:
    assert await settle_leftovers(tmp_path / missing, Shelf(), 7.0) == 0
