"""The TTL that a table had comes back with the end of the fault, whatever it was."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.faults import shortened_ttl
from lakeproof.faults.shortened_ttl import ShortenedTtl, inject, remove, sign
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

FAULT = ShortenedTtl(ttl=30)


class Table:
    """inventory.reservations: its TTL. lost: its answer to the next DDL is lost, which it has carried out."""

    def __init__(self) -> None:
        self.ttl, self.lost = 1800, False

    def change(self, stack: Stack, keyspace: str, table: str, ttl: int, *, spare_endless: bool = False) -> int:
        before = self.ttl
        if before == 0 and spare_endless:
            raise InvalidInput("its rows never expire", where=table)
        self.ttl = ttl
        if self.lost:
            self.lost = False
            raise TerminalError("OperationTimedOut", where=table)
        return before


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(shortened_ttl, "change_ttl", made.change)
    monkeypatch.setattr(shortened_ttl, "ttl_of", lambda *_: made.ttl)
    return made


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.mark.parametrize("repaired", [None, 900])
def test_a_table_gets_back_the_ttl_that_its_owner_gave_it(table: Table, stack: Stack, repaired: int | None) -> None:
    for _ in range(2):
        inject(stack, FAULT)
    assert sign(stack, FAULT).holds
    table.ttl = repaired or table.ttl  # a repair knows the schema's only
    for _ in range(2):
        remove(stack, FAULT)
    assert table.ttl == 1800
    assert [path for path in stack.state_dir.rglob("*") if path.is_file()] == []


def test_what_it_was_is_noted_before_it_is_changed(table: Table, stack: Stack) -> None:
    table.lost = True
    with pytest.raises(TerminalError):
        inject(stack, FAULT)
    remove(stack, FAULT)
    assert table.ttl == 1800


def test_what_is_given_counts_and_without_a_note_the_schemas(table: Table, stack: Stack) -> None:
    inject(stack, FAULT)
    remove(stack, ShortenedTtl(ttl=30, previous_ttl=600))
    assert table.ttl == 600
    remove(stack, FAULT)
    assert table.ttl == 600, "it is not short"
    table.ttl = 30
    remove(stack, FAULT)
    assert table.ttl == 900


def test_a_table_whose_rows_never_expire_is_left_as_it_is(table: Table, stack: Stack) -> None:
    table.ttl = 0
    with pytest.raises(InvalidInput):
        inject(stack, FAULT)
    remove(stack, FAULT)
    assert table.ttl == 0
