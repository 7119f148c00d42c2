"""A renamed column gets its name back, and the rows of its table are read anew where that doubles none."""

import pytest
from tests.doubles.columns import columns_as_declared

from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady, TerminalError
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.columns import missing_columns, renamed_columns
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import another_name, faults, repairs
from lakeproof_shop.scenarios.schema_drift.another_name import Likeness
from lakeproof_shop.scenarios.schema_drift.faults import RenamedColumn


class Database:
    """MariaDB's columns, how their rows compare with the lake's, and the tables whose rows were asked for."""

    def __init__(self) -> None:
        self.tables = columns_as_declared()
        self.likeness = Likeness(3, 3, (), 2)
        self.read: list[str] = []
        self.paused = False
        self.dropped_amid_renaming: str | None = None

    def columns(self, *_: object) -> dict[str, dict[str, str]]:
        return self.tables

    def rename_column(self, stack: object, connector: object, table: str, column: str, name: str) -> None:
        self.tables[table][name] = self.tables[table].pop(column)
        if self.dropped_amid_renaming is not None:
            del self.tables[table][self.dropped_amid_renaming]

    def read_existing_rows(self, stack: object, connector: object, tables: list[str]) -> None:
        if self.paused and tables:
            raise DeadlineExpired("the connector did not begin to read", last_seen="no row of it")
        self.read += tables


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()
    monkeypatch.setattr(mariadb, "columns", made.columns)
    monkeypatch.setattr(mariadb, "rename_column", made.rename_column)
    monkeypatch.setattr(another_name, "likeness", lambda *_: made.likeness)
    monkeypatch.setattr(repairs, "read_existing_rows", made.read_existing_rows)
    return made


def run(stack: Stack) -> str:
    return repairs.RenameColumnBack().run(stack)


def test_the_fault_is_seen_mended_and_taken_out_twice(database: Database, stack: Stack) -> None:
    fault = RenamedColumn()
    assert not fault.sign(stack).holds
    for _ in range(2):
        fault.inject(stack)
    assert fault.sign(stack).holds
    assert renamed_columns(stack, 1.0, OLTP) == "oltp.order_items.sku→sku_code"
    assert missing_columns(stack, 1.0, OLTP) == "none"
    wanted = "ALTER TABLE oltp.order_items RENAME COLUMN sku_code TO sku; the rows of oltp.order_items are read anew"
    assert repairs.RenameColumnBack().typed(stack) == wanted
    assert run(stack) == "oltp.order_items.sku_code is sku again; the rows of oltp.order_items are read anew"
    assert (database.read, renamed_columns(stack, 1.0, OLTP)) == (["oltp.order_items"], "none")
    assert run(stack) == "nothing to rename, every column has its name"
    for _ in range(2):
        fault.remove(stack)
    assert "sku" in database.tables["oltp.order_items"]


def test_rows_of_an_append_only_table_are_not_read_twice(database: Database, stack: Stack) -> None:
    database.rename_column(stack, OLTP, "oltp.order_events", "type", "kind")
    wanted = "; rows of oltp.order_events that were written meanwhile lack it in the lake: look at them"
    assert run(stack) == f"oltp.order_events.kind is type again{wanted}"
    assert database.read == []


def test_a_second_run_has_the_rows_read_that_the_first_was_cut_off_before(database: Database, stack: Stack) -> None:
    faults.RenamedColumn().inject(stack)
    database.paused = True
    with pytest.raises(DeadlineExpired):
        run(stack)
    database.paused = False
    assert renamed_columns(stack, 1.0, OLTP) == "none"
    read_anew = "the rows of oltp.order_items are read anew"
    assert repairs.RenameColumnBack().typed(stack) == read_anew
    assert (run(stack), database.read) == (read_anew, ["oltp.order_items"])
    assert run(stack) == "nothing to rename, every column has its name"


def test_a_table_that_lacks_another_column_by_then_is_not_read_until_it_is_restored(
    database: Database, stack: Stack
) -> None:
    """The lake's values of that one, from which alone it can be restored, became NULL."""
    faults.RenamedColumn().inject(stack)
    database.paused = True
    with pytest.raises(DeadlineExpired):
        run(stack)
    database.paused = False
    del database.tables["oltp.order_items"]["quantity"]
    refused = "oltp.order_items: quantity is missing in the same table, restore it first"
    assert repairs.RenameColumnBack().typed(stack).startswith(f"nothing, it will be refused: {refused}")
    with pytest.raises(InvalidInput, match=refused):
        run(stack)
    assert database.read == []
    database.tables["oltp.order_items"]["quantity"] = "int"
    assert run(stack) == "the rows of oltp.order_items are read anew"
    assert database.read == ["oltp.order_items"]


def test_a_column_that_is_dropped_amid_the_renaming_is_seen_before_the_rows_are_read(
    database: Database, stack: Stack
) -> None:
    faults.RenamedColumn().inject(stack)
    database.dropped_amid_renaming = "quantity"
    with pytest.raises(InvalidInput, match="quantity is missing in the same table"):
        run(stack)
    assert database.read == []


def test_a_new_column_of_another_type_is_no_other_name(database: Database, stack: Stack) -> None:
    del database.tables["oltp.order_items"]["quantity"]
    database.tables["oltp.order_items"]["note"] = "varchar"
    assert renamed_columns(stack, 1.0, OLTP) == "none"
    assert missing_columns(stack, 1.0, OLTP) == "oltp.order_items.quantity"


def test_a_dropped_column_beside_an_added_one_is_not_renamed_and_none_other_is(
    database: Database, stack: Stack
) -> None:
    """The lake's values, from which alone the dropped one can be restored, would be overwritten."""
    del database.tables["oltp.order_items"]["sku"]
    database.tables["oltp.order_items"]["loaded_at"] = "datetime"
    assert renamed_columns(stack, 1.0, OLTP) == "oltp.order_items.sku→loaded_at"
    database.likeness = Likeness(3, 0, (1, 2, 3), 0)
    refused = "it is not so that loaded_at is sku renamed"
    assert (
        repairs.RenameColumnBack()
        .typed(stack)
        .startswith(f"nothing, it will be refused: oltp.order_items: {refused}")
    )
    with pytest.raises(TerminalError, match=refused):
        run(stack)
    assert "loaded_at" in database.tables["oltp.order_items"]
    assert database.read == [] and list(stack.state_dir.iterdir()) == []


def test_without_an_answer_of_the_lake_nothing_is_renamed(
    database: Database, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> Likeness:
        raise CouldNotLook("no answer", where="trino")

    monkeypatch.setattr(another_name, "likeness", silent)
    faults.RenamedColumn().inject(stack)
    assert "refused: trino: no answer" in repairs.RenameColumnBack().typed(stack)
    with pytest.raises(CouldNotLook):
        run(stack)
    assert "sku_code" in database.tables["oltp.order_items"]


def test_without_an_answer_the_statement_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> dict[str, dict[str, str]]:
        raise NotReady("no answer", where="mysql")

    monkeypatch.setattr(mariadb, "columns", silent)
    assert "RENAME COLUMN" in repairs.RenameColumnBack().typed(stack)
