"""The TTL that a table had comes back with the end of the fault, whatever it was."""

import pytest

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.ttl_oversell import faults
from lakeproof_shop.scenarios.ttl_oversell.faults import ShortenedTtl

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
    monkeypatch.setattr(faults, "change_ttl", made.change)
    monkeypatch.setattr(faults, "ttl_of", lambda *_: made.ttl)
    return made


@pytest.mark.parametrize("repaired", [None, 900])
def test_a_table_gets_back_the_ttl_that_its_owner_gave_it(table: Table, stack: Stack, repaired: int | None) -> None:
    for _ in range(2):
        FAULT.inject(stack)
    assert FAULT.sign(stack).holds
    table.ttl = repaired or table.ttl  # a repair knows the schema's only
    for _ in range(2):
        FAULT.remove(stack)
    assert table.ttl == 1800
    assert [path for path in stack.state_dir.rglob("*") if path.is_file()] == []


def test_what_it_was_is_noted_before_it_is_changed(table: Table, stack: Stack) -> None:
    table.lost = True
    with pytest.raises(TerminalError):
        FAULT.inject(stack)
    FAULT.remove(stack)
    assert table.ttl == 1800


def test_what_is_given_counts_and_without_a_note_the_schemas(table: Table, stack: Stack) -> None:
    FAULT.inject(stack)
    ShortenedTtl(ttl=30, previous_ttl=600).remove(stack)
    assert table.ttl == 600
    FAULT.remove(stack)
    assert table.ttl == 600, "it is not short"
    table.ttl = 30
    FAULT.remove(stack)
    assert table.ttl == 900


def test_a_table_whose_rows_never_expire_is_left_as_it_is(table: Table, stack: Stack) -> None:
    table.ttl = 0
    with pytest.raises(InvalidInput):
        FAULT.inject(stack)
    FAULT.remove(stack)
    assert table.ttl == 0
