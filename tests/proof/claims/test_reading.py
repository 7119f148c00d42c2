"""What does not answer is told once and not waited for again; the rest is read. No engine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.ledger import PurchaseFact
from lakeproof_shop.proof.claims import reading, reading_attachments
from lakeproof_shop.proof.claims.facts import ParcelFact, Part, Scope, Store

A_STACK = Stack(Settings(state_dir=Path("/nowhere")))


def test_a_store_that_is_away_is_asked_once_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        asked.append(service)
        raise CouldNotLook("no answer", where=Store.SHOP.value)

    monkeypatch.setattr(reading_attachments, "rows_of", rows_of)  # the first to ask for any
    monkeypatch.setattr(reading, "read_stock", lambda stack: {"totals": ()})
    monkeypatch.setattr(reading, "_checkouts", lambda stack, keys, orders: ())
    found = reading.read_facts(A_STACK, Store, Scope())
    assert (found.totals, found.checkouts, len(asked)) == ((), (), 1)
    assert set(found.unknown) == set(Part) - {Part.STOCK, Part.PURCHASES, Part.CHECKOUTS}
    assert set(found.unknown.values()) == {"postgres: no answer"}


def test_an_account_that_nobody_gave_makes_its_store_unknown_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_elses = Stack(Settings(mode="external", state_dir=Path("/nowhere")))
    monkeypatch.setattr(reading, "_checkouts", lambda stack, keys, orders: ())
    found = reading.read_facts(somebody_elses, (Store.ORDERS, Store.SHOP), Scope())
    assert found.checkouts == ()
    assert set(found.unknown) == {Part.PAYMENTS, Part.PARCELS, Part.OUTBOXES, Part.CHANGES}


def test_a_store_that_is_not_part_of_the_stack_is_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_checkouts", lambda stack, keys, orders: ())
    found = reading.read_facts(A_STACK, (Store.ORDERS,), Scope())
    assert (found.checkouts, found.payments, found.unknown) == ((), None, {})
    assert found.there == {Store.ORDERS}


def test_every_store_is_named_as_the_component_that_it_is() -> None:
    assert {store.value for store in Store} <= set(all_components())


NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hold_ends", "hold_told", "late_seconds"),
    [(None, None, 7200.0), (60.0, None, 60.0), (-600.0, 30.0, -600.0), (None, 30.0, 30.0), (60.0, 3600.0, 60.0)],
    ids=["never held", "hold is over", "held", "hold called off", "hold set, and over"],
)
def test_a_parcel_is_late_since_it_could_be_shipped(
    monkeypatch: pytest.MonkeyPatch, hold_ends: float | None, hold_told: float | None, late_seconds: float
) -> None:
    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        times = (NOW, ago(7200.0), ago(hold_ends), ago(hold_told))
        return [(27, 9, "label_pending", "label_pending", 3, 3, *times, 120, True)]

    monkeypatch.setattr(reading, "rows_of", rows_of)
    found = reading.read_facts(A_STACK, (Store.SHOP,), Scope(frozenset({Part.PARCELS})))
    expected = ParcelFact(27, 9, *("label_pending", "label_pending"), 3, 3, late_seconds, 120, True)
    assert found.parcels == (expected,)


ITEMS = '[{"sku": "s", "quantity": 2, "unit_price": "1.00"}, {"sku": "t", "quantity": 1, "unit_price": "3.00"}]'
ASKED = (("s", 2), ("t", 1))


@pytest.mark.parametrize(("came_back", "back"), [(0, ()), (1, ASKED)])
def test_what_was_asked_for_stays_sold_or_has_come_in_again(
    came_back: int, back: tuple[tuple[str, int], ...]
) -> None:
    found = reading.checkout_of("a", "done", 1.0, 1, 11, "r1", "paid", None, 1.0, ITEMS, came_back)
    assert (found.items, found.back) == (ASKED, back)


@pytest.mark.parametrize(
    "listed", [None, "null", "7", "[7]", '[{"sku": "s"}]', '{"sku": "s"}', "not JSON"], ids=lambda one: str(one)
)
def test_a_checkout_whose_request_is_spoilt_is_read_and_names_nothing(listed: str | None) -> None:
    """One such row once ended the whole check with a traceback."""
    assert reading.checkout_of("a", "cancelled", 1.0, 1, 11, "r1", "paid", None, 1.0, listed, 1).items == ()


def test_a_row_that_nobody_foresaw_makes_its_part_unknown_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        return [(27, 9, "shipped", "shipped", 3, 3, NOW, None, None, None, 120, True)]

    monkeypatch.setattr(reading, "rows_of", rows_of)
    monkeypatch.setattr(reading, "_checkouts", lambda stack, keys, orders: ())
    parts = frozenset({Part.PARCELS, Part.CHECKOUTS})
    found = reading.read_facts(A_STACK, (Store.SHOP, Store.ORDERS), Scope(parts))
    assert (found.parcels, found.checkouts) == (None, ())
    assert found.unknown == {Part.PARCELS: "parcels: not read: ValueError: max() iterable argument is empty"}


def test_a_further_look_is_held_to_the_purchases_of_the_checkouts_that_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every other purchase would look as if its checkout were gone."""
    bought = tuple(PurchaseFact(key, order_id, "paid") for order_id, key in enumerate("abc", start=1))
    monkeypatch.setattr(reading, "read_purchases", lambda folder: bought)
    parts = frozenset({Part.PURCHASES})
    assert reading.read_facts(A_STACK, (Store.ORDERS,), Scope(parts)).purchases == bought
    further = Scope(parts, checkouts=frozenset({"b"}))
    assert reading.read_facts(A_STACK, (Store.ORDERS,), further).purchases == bought[1:2]
