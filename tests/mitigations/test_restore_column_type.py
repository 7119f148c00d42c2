"""Values that do not fit are kept before they are overwritten, and only their owner's file tells them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.columns import Difference, Differences
from lakeproof.lake.sources import mariadb
from lakeproof.mitigations import columns, named
from lakeproof.stack.stack import Stack

WIDENED = Difference("oltp.order_items", "line", "bigint", "INT")


class Cursor:
    """Gives the rows that do not fit; notes each statement, and how many files were kept before it."""

    def __init__(self, folder: Path) -> None:
        self.unfit = [(7, "3000000001"), (9, "3000000002")]
        self.told: list[tuple[str, int]] = []
        self.refuses = ""
        # Rows that nobody has changed since; statements, in full.
        self.untouched = {7, 9}
        self.statements: list[str] = []
        self.rowcount = 0
        self.written_meanwhile = ""
        self._folder = folder

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        word = statement.split()[0]
        if word == self.refuses:
            raise NotReady("Lock wait timeout exceeded", where="mysql")
        if word == "UPDATE":
            self.rowcount = int(values[1] in self.untouched)
        if word == "ALTER" and self.written_meanwhile:
            raise pymysql.DataError(1366, f"Incorrect integer value: '{self.written_meanwhile}'")
        self.statements.append(statement)
        self.told.append((word, len(list(self._folder.glob("*.json")))))

    def fetchall(self) -> list[tuple[int, str]]:
        return self.unfit


@pytest.fixture
def cursor(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Cursor:
    made = Cursor(stack.state_dir / "kept-values")

    @contextmanager
    def as_root(stack: Stack, seconds: float) -> Iterator[Cursor]:
        yield made

    monkeypatch.setattr(mariadb, "as_root", as_root)
    monkeypatch.setattr(columns, "look", lambda *_: Differences((), (WIDENED,)))
    answer = SimpleNamespace(rows=[(7, 1), (9, 2)])
    monkeypatch.setattr(columns, "ask", lambda *_, **__: (None, answer))
    return made


def test_what_the_rows_had_is_kept_for_its_owner_before_the_first_update(cursor: Cursor, stack: Stack) -> None:
    said = columns.RestoreColumnType().run(stack)
    done, _, path = said.partition("; what they had is kept in ")
    assert done == "oltp.order_items.line is INT again, 2 rows corrected"
    assert json.loads(Path(path).read_text())["values"] == {
        "oltp.order_items.line": {"7": "3000000001", "9": "3000000002"}
    }
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert "3000000001" not in said  # it stands in the incident's timeline
    # The second one tells others that the session is a repair.
    assert cursor.told == [("SELECT", 0), ("SELECT", 1), ("SET", 1), ("UPDATE", 1), ("UPDATE", 1), ("ALTER", 1)]
    assert "STRICT_ALL_TABLES" in cursor.statements[2]


def test_the_dry_run_lists_what_would_be_overwritten_and_keeps_nothing(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "SHOWN", 1)
    assert (
        columns.RestoreColumnType()
        .typed(stack)
        .endswith("; values that are overwritten: oltp.order_items.line of id 7: 3000000001, and 1 more")
    )
    assert not (stack.state_dir / "kept-values").exists()


def test_without_a_place_for_the_values_nothing_is_overwritten(cursor: Cursor, stack: Stack) -> None:
    (stack.state_dir / "kept-values").write_text("a file where the folder should be")
    with pytest.raises(TerminalError, match="the values cannot be kept"):
        columns.RestoreColumnType().run(stack)
    assert [word for word, _ in cursor.told] == ["SELECT"]


def test_a_database_that_refuses_midway_does_not_hide_where_the_values_are(cursor: Cursor, stack: Stack) -> None:
    cursor.refuses = "ALTER"
    with pytest.raises(NotReady, match=r"line is not INT yet: Lock wait .*; what they had is kept in .*oltp-"):
        columns.RestoreColumnType().run(stack)


def test_a_row_that_somebody_changed_meanwhile_is_not_counted(cursor: Cursor, stack: Stack) -> None:
    cursor.untouched = {9}
    wanted = (
        "oltp.order_items.line is INT again, 1 rows corrected, 1 left, for somebody had changed them meanwhile; what"
    )
    assert columns.RestoreColumnType().run(stack).startswith(wanted)


def test_a_value_that_does_not_fit_and_was_written_meanwhile_fails_the_step_and_is_not_told(
    cursor: Cursor, stack: Stack
) -> None:
    """Where the server was not strict, it became 0."""
    cursor.written_meanwhile = "12 pieces"
    with pytest.raises(
        NotReady, match=r"not INT yet: a value that does not fit was .*1366.*; what .*Next: do"
    ) as told:
        columns.RestoreColumnType().run(stack)
    assert "pieces" not in told.value.message


def test_a_type_whose_values_all_fit_leaves_no_file(cursor: Cursor, stack: Stack) -> None:
    cursor.unfit = []
    assert columns.RestoreColumnType().run(stack) == "oltp.order_items.line is INT again, 0 rows corrected"
    assert "values that are overwritten" not in columns.RestoreColumnType().typed(stack)
    assert not (stack.state_dir / "kept-values").exists()
