"""Stock under traffic: what changed while it was read is read again alone, and counted where it never keeps still."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import reading_stock
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import Part, Scope, ShopFacts, Store
from lakeproof_shop.proof.claims.reading import read_facts
from lakeproof_shop.services.inventory.audit import LineSum

STOCK_ADDS_UP = "shop: received - sold - reserved = on hand, never below zero"


class Ring:
    """A table of stock with one receipt per SKU, of as many units as it has changed; a busy SKU changes at each look
    at lines, for so many looks.
    """

    def __init__(self, *busy: str, looks: int) -> None:
        self.versions = {"calm": 5, "hot": 3} | dict.fromkeys(busy, 3)
        self._looks = dict.fromkeys(busy, looks)
        self.asked: list[str] = []

    def ask(self, statement: str) -> Iterator[Any]:
        self.asked.append(statement)
        skus = [sku for sku in self.versions if "sku IN" not in statement or f"'{sku}'" in statement]
        if "n = 1" in statement:
            return iter([("hot",)])
        if "version FROM" in statement:
            return iter([(sku, self.versions[sku]) for sku in skus])
        if "SELECT DISTINCT" in statement:
            return iter([(sku, *[self.versions[sku]] * 2, 0, 0, 0, 9, 9) for sku in skus])
        if "'receipt'" not in statement:
            return iter([])
        rows = [(sku, f"{sku}-1", "receipt", "received", self.versions[sku], None) for sku in skus]
        for sku in self._looks:
            if sku in skus and self._looks[sku] > 0:
                self._looks[sku] -= 1
                self.versions[sku] += 1
        return iter(rows)


def facts_of(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> ShopFacts:
    @contextmanager
    def ring_rows(_: Stack) -> Iterator[Callable[[str], Iterator[Any]]]:
        yield ring.ask

    monkeypatch.setattr(reading_stock, "ring_rows", ring_rows)
    return read_facts(Stack(Settings(state_dir=Path("/nowhere"))), (Store.STOCK,), Scope(frozenset({Part.STOCK})))


def test_a_sku_is_young_while_the_first_of_its_events_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facts_of(Ring(looks=0), monkeypatch)
    assert not found.unknown
    assert (found.steady, found.young) == (frozenset({"calm", "hot"}), frozenset({"hot"}))


@pytest.mark.parametrize("looks", [1, 2])
def test_a_sku_that_changed_meanwhile_is_read_again_by_itself_and_judged(
    monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    ring = Ring("hot", looks=looks)
    found = facts_of(ring, monkeypatch)
    assert found.steady == frozenset({"calm", "hot"}) and found.sums is not None
    assert found.sums["hot"] == (LineSum("received", 1, 3 + looks),)
    assert [statement for statement in ring.asked if "'calm'" in statement] == []
    assert CLAIMS[STOCK_ADDS_UP](found) == []


def test_a_sku_that_never_keeps_still_is_counted_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was once left out without a word, and counted as judged."""
    found = facts_of(Ring("hot", looks=9), monkeypatch)
    report = CLAIMS[STOCK_ADDS_UP].report(STOCK_ADDS_UP, [], found)
    assert (report.judged, report.unsettled) == (1, 1)
    assert "1 more changed at each look" in report.in_words
