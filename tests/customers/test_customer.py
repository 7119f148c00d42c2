"""A customer does what was planned, and what they told support and notification stands in the contacts' ledger."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lakeproof.ledger.writer import Ledger
from lakeproof_shop.customers.contacts import FOLDER, Kind, read_contacts
from lakeproof_shop.customers.ledger import read_ledgers
from lakeproof_shop.customers.shoppers import customer as customer_module
from lakeproof_shop.customers.shoppers.counter import Counter, End, Told
from lakeproof_shop.customers.shoppers.customer import Customer
from lakeproof_shop.customers.shoppers.desk import Reply, ServiceDesk, _read
from lakeproof_shop.customers.shoppers.plan import Basket
from lakeproof_shop.customers.shoppers.purchases import Purchase, Wishes
from lakeproof_shop.customers.shoppers.report import Tally
from lakeproof_shop.customers.shoppers.storefront import Answer, Storefront, Word
from lakeproof_shop.services.checkout.models import Undoing
from lakeproof_shop.services.order.models import Item, Order

AT = "2026-11-24T14:43:53.042722Z"
PAID = Order(7, "checkout:r-b1", 42, "paid", "12.30", 1, 2, AT, AT, (Item(1, 1, "buy-00", 2, "6.15"),))
LOST, AWAY = Reply(Word.UNCLEAR, "no answer"), Reply(Word.UNAVAILABLE, "no connection")


class OpenCounter(Counter):
    """Everything is bought at once."""

    def __init__(self) -> None:
        pass

    async def buy(self, key: str, purchase: Purchase) -> Told:
        return Told(End.BOUGHT, "", True)

    async def look(self, key: str) -> Told:
        return Told(End.BOUGHT, "", True)

    async def undo(self, key: str, undoing: Undoing) -> Told:
        return Told(End.REFUSED, "409 not_allowed")

    async def browse(self, sku: str) -> bool:
        return True


class Shelf(Storefront):
    """The order is paid."""

    def __init__(self) -> None:
        pass

    async def read(self, key: str) -> Answer:
        return Answer(Word.OK, order=PAID)


class ScriptedDesk(ServiceDesk):
    """Gives the next answer; without one, it is done, as number 5."""

    def __init__(self, *answers: Reply) -> None:
        self.answers, self.keys = list(answers), list[str]()

    def _next(self, key: str) -> Reply:
        self.keys.append(key)
        return self.answers.pop(0) if self.answers else Reply(Word.OK, "", 5)

    async def complain(self, key: str, customer_id: int, order_id: int, message: str) -> Reply:
        return self._next(key)

    async def attach(self, key: str, case_id: int, content: bytes) -> Reply:
        return self._next(key)

    async def prefer(self, key: str, customer_id: int, opted_out: tuple[str, ...]) -> Reply:
        return self._next(key)

    async def read_timeline(self, case_id: int) -> bool:
        return True

    async def is_shipped(self, order_id: int) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer_module, "AGAIN_SECONDS", (0.0,))
    monkeypatch.setattr(customer_module, "LOOK_SECONDS", 0.0)


@pytest.fixture
async def ledgers(tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    async with (
        Ledger(tmp_path, "r", group_seconds=0.0) as orders,
        Ledger(tmp_path / FOLDER, "r", group_seconds=0.0) as contacts,
    ):
        yield orders, contacts


async def shopped(ledgers: tuple[Ledger, Ledger], wishes: Wishes, desk: ScriptedDesk) -> Tally:
    tally = Tally()
    purchase = Purchase(0.0, 1, 42, "tok_visa", Basket((("buy-00", 2, "6.15"),)), wishes)
    await Customer("r-b1", OpenCounter(), desk, Shelf(), ledgers, tally, asyncio.Event()).shop(purchase)
    return tally


async def test_all_that_was_planned_is_done_and_written(ledgers: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    wishes, desk = Wishes(True, Undoing.RETURN, True, True, True, True), ScriptedDesk()
    tally = await shopped(ledgers, wishes, desk)
    assert desk.keys == ["r-b1:opt-out", "r-b1:complaint", "r-b1:attachment", "r-b1:opt-in"]
    told = read_contacts(tmp_path)
    assert [one.kind for one in told.acknowledged.values()] == [
        Kind.PREFERENCES,
        Kind.COMPLAINT,
        Kind.ATTACHMENT,
        Kind.PREFERENCES,
    ]
    complaint = told.acknowledged["r-b1:complaint"]
    assert (complaint.customer_id, complaint.order_id, complaint.ref, told.open) == (42, 7, 5, {})
    assert (tally.complaints, tally.attachments, tally.opt_outs, tally.opt_ins, tally.browsed) == (1, 1, 1, 1, 3)
    assert (tally.sent, tally.acknowledged, tally.refused, tally.unclear) == (6, 5, 1, 0)
    assert read_ledgers(tmp_path).unclear == 0


async def test_a_contact_without_a_word_is_repeated_under_its_key(
    ledgers: tuple[Ledger, Ledger], tmp_path: Path
) -> None:
    desk = ScriptedDesk(LOST, AWAY, Reply(Word.OK, "", 9))
    tally = await shopped(ledgers, Wishes(complains=True), desk)
    assert desk.keys == ["r-b1:complaint"] * 3
    assert read_contacts(tmp_path).acknowledged["r-b1:complaint"].ref == 9
    assert (tally.unclear, tally.settled, tally.open_calls, tally.complaints) == (1, 1, 0, 1)


async def test_what_was_refused_is_not_acknowledged(ledgers: tuple[Ledger, Ledger], tmp_path: Path) -> None:
    tally = await shopped(ledgers, Wishes(complains=True, attaches=True, opts_out=True), ScriptedDesk(AWAY, AWAY))
    told = read_contacts(tmp_path)
    assert (dict(told.acknowledged), dict(told.open)) == ({}, {})
    assert (tally.refused, tally.complaints, tally.attachments, tally.opt_outs) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("status", "raw", "reply"),
    [
        (201, b'{"id": 7}', Reply(Word.OK, "", 7)),
        (409, b'{"error": {"code": "closed"}, "outcome": "not_done"}', Reply(Word.REFUSED, "409 closed")),
        (503, b'{"error": {"code": "busy"}, "outcome": "not_done"}', Reply(Word.UNAVAILABLE, "503 busy")),
        (503, b'{"error": {"code": "late"}, "outcome": "unclear"}', Reply(Word.UNCLEAR, "503 late")),
        (201, b"<html>", Reply(Word.UNCLEAR, "201 without a known body")),
    ],
)
def test_an_answer_is_read_for_what_it_says(status: int, raw: bytes, reply: Reply) -> None:
    assert _read(status, raw, "id") == reply
