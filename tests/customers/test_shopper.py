"""A shopper believes nothing before it is written, and does not rest until an unclear call is settled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.ledger import Expectations, read_ledgers
from lakeproof_shop.customers.shoppers import shopper as shopper_module
from lakeproof_shop.customers.shoppers.plan import Basket, Visit
from lakeproof_shop.customers.shoppers.report import Tally
from lakeproof_shop.customers.shoppers.shopper import Shopper
from lakeproof_shop.customers.shoppers.storefront import Answer, Storefront, Word
from lakeproof_shop.services.order.models import Item, Op, Order

AT = "2026-11-24T14:43:53.042722Z"
BASKET = Basket((("sku-1", 2, "6.15"),))
CREATE = Visit(0.0, Op.CREATE, 1, 42, BASKET)
PAY = Visit(1.0, Op.PAY, 1)
DELETE = Visit(2.0, Op.DELETE, 1)


def an_order(version: int = 1, status: str = "created") -> Order:
    return Order(
        7, "r-1", 42, status, "12.30", 1, version, AT, f"{AT[:-2]}{version}Z", (Item(1, 1, "sku-1", 2, "6.15"),)
    )


def ok(order: Order | None, version: int | None = None) -> Answer:
    return Answer(Word.OK, order=order, version=order.version if order else version or 0)


class ScriptedStorefront(Storefront):
    """Gives the next answer of a list, whatever is asked; keeps the operation keys."""

    def __init__(self, answers: list[Answer], reads: list[Answer] | None = None) -> None:
        self.answers, self.reads, self.keys = answers, reads or [], list[str]()

    async def create(self, key: str, customer_id: int, basket: Basket) -> Answer:
        self.keys.append(key)
        return self.answers.pop(0)

    async def change(self, op: Op, order: Order, operation_key: str, basket: Basket | None) -> Answer:
        self.keys.append(operation_key)
        return self.answers.pop(0)

    async def read(self, key: str) -> Answer:
        return self.reads.pop(0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopper_module, "SETTLE_SECONDS", (0.0,))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(tmp_path, "r", group_seconds=0.0) as made:
        yield made


type Shop = Callable[..., tuple[Shopper, Tally, asyncio.Event]]


@pytest.fixture
def enter(ledger: Ledger) -> Shop:
    def make(storefront: Storefront, *visits: Visit) -> tuple[Shopper, Tally, asyncio.Event]:
        tally, over = Tally(), asyncio.Event()
        shopper = Shopper("r-1", storefront, ledger, tally, over)
        shopper.visits.extend(visits)
        return shopper, tally, over

    return make


def written(ledger: Ledger) -> Expectations:
    return read_ledgers(ledger.path.parent)


async def test_answers_become_the_ledgers_state(ledger: Ledger, enter: Shop) -> None:
    front = ScriptedStorefront([ok(an_order()), ok(an_order(2, "paid")), ok(None, 3)])
    shopper, tally, _ = enter(front, CREATE, PAY, DELETE)
    await shopper.shop()
    one = written(ledger).by_key["r-1"]
    assert (one.acknowledged[-1].order, one.last_version_acked) == (None, 3)
    assert (tally.acknowledged, tally.mismatched) == (3, 0)


async def test_an_unclear_call_is_repeated_under_its_own_key_until_it_is_known(ledger: Ledger, enter: Shop) -> None:
    answers = [
        ok(an_order()),
        Answer(Word.UNCLEAR, "no answer"),
        Answer(Word.UNAVAILABLE, "503"),
        ok(an_order(2, "paid")),
    ]
    front = ScriptedStorefront(answers)
    shopper, tally, _ = enter(front, CREATE, PAY)
    await shopper.shop()
    assert len(set(front.keys[1:])) == 1
    assert (tally.unclear, tally.settled, tally.open_calls) == (1, 1, 0)
    assert written(ledger).by_key["r-1"].possible[0].order == an_order(2, "paid")


async def test_a_repeat_that_is_refused_is_settled_by_reading(ledger: Ledger, enter: Shop) -> None:
    front = ScriptedStorefront([ok(an_order()), Answer(Word.UNCLEAR), Answer(Word.REFUSED, "409")], [ok(an_order())])
    shopper, tally, _ = enter(front, CREATE, PAY)
    await shopper.shop()
    one = written(ledger).by_key["r-1"]
    assert (tally.settled, len(one.possible), one.last_version_acked) == (1, 1, 1)


async def test_a_create_that_never_happened_leaves_an_order_that_never_was(ledger: Ledger, enter: Shop) -> None:
    front = ScriptedStorefront([Answer(Word.UNCLEAR), Answer(Word.REFUSED, "422")], [Answer(Word.OK)])
    shopper, _, _ = enter(front, CREATE, PAY)
    await shopper.shop()
    one = written(ledger).by_key["r-1"]
    assert (one.last_version_acked, one.possible[0].allows(None)) == (0, True)


async def test_an_order_that_vanished_is_no_outcome_of_a_payment(ledger: Ledger, enter: Shop) -> None:
    front = ScriptedStorefront([ok(an_order()), Answer(Word.UNCLEAR), Answer(Word.REFUSED, "404")], [])
    shopper, tally, over = enter(front, CREATE, PAY)

    async def read(key: str) -> Answer:
        over.set()
        return Answer(Word.OK)

    front.read = read  # type: ignore[method-assign]
    await shopper.shop()
    one = written(ledger).by_key["r-1"]
    assert (tally.settled, tally.open_calls, one.last_version_acked) == (0, 1, 1)
    assert one.acknowledged[-1].order is not None


async def test_what_is_unclear_at_the_end_stays_unclear(ledger: Ledger, enter: Shop) -> None:
    shopper, tally, over = enter(ScriptedStorefront([ok(an_order()), Answer(Word.UNCLEAR)]), CREATE, PAY, DELETE)
    over.set()
    await shopper.shop()
    one = written(ledger).by_key["r-1"]
    assert (tally.open_calls, tally.sent, len(one.possible)) == (1, 2, 2)
    assert one.possible[1].allows(an_order(2, "paid"))


async def test_a_refused_create_is_not_built_upon(ledger: Ledger, enter: Shop) -> None:
    shopper, tally, _ = enter(ScriptedStorefront([Answer(Word.REFUSED, "422")]), CREATE, PAY)
    await shopper.shop()
    assert (tally.sent, tally.refused, written(ledger).unclear) == (1, 1, 0)


async def test_an_answer_that_is_not_what_was_asked_is_counted_and_named(ledger: Ledger, enter: Shop) -> None:
    shopper, tally, _ = enter(ScriptedStorefront([ok(replace(an_order(), total="1.00"))]), CREATE)
    await shopper.shop()
    assert (tally.mismatched, tally.mismatches) == (1, ["r-1: create at version 1: total 12.30 → 1.00"])
    assert written(ledger).mismatches == ("r-1: create at version 1: total 12.30 → 1.00",)


async def test_a_repeated_call_whose_answer_is_not_what_was_asked_is_counted_too(ledger: Ledger, enter: Shop) -> None:
    answers = [ok(an_order()), Answer(Word.UNCLEAR, "no answer"), ok(replace(an_order(2, "paid"), customer_id=7))]
    shopper, tally, _ = enter(ScriptedStorefront(answers), CREATE, PAY)
    await shopper.shop()
    assert (tally.settled, tally.mismatches) == (1, ["r-1: pay at version 2: customer_id 42 → 7"])
    assert written(ledger).mismatches == ("r-1: pay at version 2: customer_id 42 → 7",)
