"""Rows deleted from the lake's own table: which, by whose SQL, and what is brought back of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import gap, rewriting
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure import faults
from lakeproof_shop.scenarios.lake_commit_failure.faults import DeletedLakeRows

TWO = DeletedLakeRows(rows=2)


def named_in(sql: str) -> set[int]:
    assert "store.oltp.order_items" in sql
    return {int(id_) for id_ in sql.rpartition("(")[2].rstrip(")").split(",")}


class World:
    """The ids that MariaDB has and those that the lake has, who may write to it, and what was done.

    finding: what an audit says of `main`.
    """

    def __init__(self) -> None:
        self.source, self.lake = [9, 4, 7], {4, 7, 9}
        self.steps: list[str] = []
        self.running = True
        self.finding = "none"

    def execute(self, sql: str) -> None:
        assert "ORDER BY id LIMIT" in sql
        self.most = int(sql.rpartition(" ")[2])

    def fetchall(self) -> list[tuple[int]]:
        return [(id_,) for id_ in sorted(self.source)[: self.most]]

    def run(self, sql: str, deadline: object) -> SimpleNamespace:
        return SimpleNamespace(rows=((len(self.lake & named_in(sql)),),))

    def write(self, stack: Stack, source: Source, sql: str) -> None:
        assert sql.startswith("DELETE FROM store.oltp.order_items WHERE id IN (")
        self.lake -= named_in(sql)

    def bridge(self, stack: Stack, name: str) -> None:
        assert self.running
        self.steps.append(f"bridged {name}")
        self.lake, self.finding = {*self.source}, "none"

    def submit(self, *_: object) -> None:
        self.running = True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    @contextmanager
    def of(*_: object) -> Iterator[World]:
        yield made

    monkeypatch.setattr(mariadb, "as_root", of)
    monkeypatch.setattr(faults, "paimon", of)
    monkeypatch.setattr(rewriting, "write_to_lake", made.write)
    monkeypatch.setattr(faults, "audit_finding", lambda *_: made.finding)
    monkeypatch.setattr(faults, "send", lambda _, method, path, **__: made.steps.append(f"{method} {path}"))
    monkeypatch.setattr(faults, "ensure_submitted", made.submit)
    monkeypatch.setattr(faults, "roll_back", lambda *_: made.steps.append("rolled back"))
    monkeypatch.setattr(gap, "bridge", made.bridge)
    return made


RESUMED = "PUT /connectors/orders/resume"


def test_the_oldest_rows_go_and_come_back(world: World, stack: Stack) -> None:
    assert not TWO.sign(stack).holds
    for _ in range(2):
        TWO.inject(stack)
        assert world.lake == {9} and world.running
    told = TWO.sign(stack)
    assert told.holds and told.seen == "the lake's order_items has 0 of its 2 oldest rows"
    world.lake.add(4)  # the shop has changed that row meanwhile, so that it came again
    assert TWO.sign(stack).holds
    for _ in range(2):
        TWO.remove(stack)
    assert world.steps == ["rolled back", "bridged orders", "rolled back", RESUMED] and world.lake == {4, 7, 9}


def test_what_an_earlier_call_brought_and_main_does_not_show_is_bridged_again(world: World, stack: Stack) -> None:
    world.finding, world.running = "2 broken", False
    TWO.remove(stack)
    assert world.steps == ["rolled back", "bridged orders"]


def test_without_rows_there_is_no_fault(world: World, stack: Stack) -> None:
    world.source = []
    with pytest.raises(InvalidInput):
        TWO.inject(stack)
    assert not TWO.sign(stack).holds
