"""A dropped column comes back with what the lake has, and a row without a value is not passed over."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.capture.columns import Difference, Differences
from lakeproof.lake.sources import mariadb
from lakeproof.mitigations.columns import keys_with
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import faults, repairs
from lakeproof_shop.scenarios.schema_drift.another_name import Likeness

GONE = Difference("oltp.order_items", "sku", None, "STRING")


class Cursor:
    """Keeps what it is told; so many rows have no value in the end."""

    def __init__(self, without: int) -> None:
        self.told: list[str] = []
        self.between: list[tuple[object, ...]] = []
        self.values: list[tuple[int, str]] = []
        self.without = without

    def execute(self, statement: str, *values: tuple[object, ...]) -> None:
        self.told.append(statement)
        self.between += values

    def executemany(self, statement: str, values: list[tuple[int, str]]) -> None:
        self.values = values

    def fetchone(self) -> tuple[int, int]:
        return self.without, 7

    def fetchall(self) -> list[tuple[int, str]]:
        return [(1, "a"), (2, "b")]


@pytest.fixture
def cursor(monkeypatch: pytest.MonkeyPatch) -> Cursor:
    made = Cursor(0)

    @contextmanager
    def as_root(stack: Stack, seconds: float) -> Iterator[Any]:
        yield made

    monkeypatch.setattr(mariadb, "as_root", as_root)
    return made


@pytest.fixture(autouse=True)
def nullable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The columns that allow NULL."""
    found: set[str] = set()
    monkeypatch.setattr(mariadb, "nullable_columns", lambda *_: found)
    return found


def test_the_column_is_filled_before_it_refuses_null(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(rows=[(1, "a"), (2, "b")])
    monkeypatch.setattr(repairs, "look", lambda *_: Differences((), (GONE,)))
    monkeypatch.setattr(repairs, "_await_published", lambda *_: None)
    monkeypatch.setattr(repairs, "ask", lambda *_, **__: (SimpleNamespace(hash="f" * 40), answer))
    wanted = "oltp.order_items.sku is there again, with 2 values of ffffffffffff"
    assert repairs.RestoreColumn().run(stack) == wanted
    added = cursor.told.index("ALTER TABLE oltp.order_items ADD COLUMN IF NOT EXISTS `sku` VARCHAR(32) NULL")
    assert cursor.told.index("LOCK TABLES oltp.order_items WRITE") < added
    assert not any("UNLOCK" in statement for statement in cursor.told)
    assert cursor.told[-1] == "ALTER TABLE oltp.order_items MODIFY `sku` VARCHAR(32) NOT NULL"
    assert cursor.values == [(1, "a"), (2, "b")]


def test_a_column_in_whose_place_another_one_was_added_is_restored_and_a_renamed_one_is_not(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(rows=[(1, "a"), (2, "b")])
    added = Difference("oltp.order_items", "loaded_at", "datetime", None)
    monkeypatch.setattr(repairs, "look", lambda *_: Differences((added,), (GONE,)))
    monkeypatch.setattr(repairs, "_await_published", lambda *_: None)
    monkeypatch.setattr(repairs, "ask", lambda *_, **__: (SimpleNamespace(hash="f" * 40), answer))
    monkeypatch.setattr(repairs, "likeness", lambda *_: Likeness(2, 2, (), 2))
    assert repairs.RestoreColumn().run(stack) == "nothing to restore, no column is missing"
    monkeypatch.setattr(repairs, "likeness", lambda *_: Likeness(2, 0, (1, 2), 0))
    assert "ADD COLUMN IF NOT EXISTS sku VARCHAR(32) NOT NULL" in repairs.RestoreColumn().typed(stack)
    wanted = "oltp.order_items.sku is there again, with 2 values of ffffffffffff"
    assert repairs.RestoreColumn().run(stack) == wanted


def test_a_pair_of_columns_that_nobody_can_judge_holds_up_no_other_column(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_can_tell(*_: object) -> Likeness:
        raise CouldNotLook("nothing tells", where="oltp.orders")

    answer = SimpleNamespace(rows=[(1, "a"), (2, "b")])
    renamed = (
        Difference("oltp.orders", "state", "varchar", None),
        Difference("oltp.orders", "status", None, "STRING"),
    )
    found = Differences(renamed[:1], (GONE, renamed[1]))
    monkeypatch.setattr(repairs, "look", lambda *_: found)
    monkeypatch.setattr(repairs, "_await_published", lambda *_: None)
    monkeypatch.setattr(repairs, "ask", lambda *_, **__: (SimpleNamespace(hash="f" * 40), answer))
    monkeypatch.setattr(repairs, "likeness", nobody_can_tell)
    done = repairs.RestoreColumn().run(stack)
    assert "sku is there again" in done and "oltp.orders.status is left: " in done
    monkeypatch.setattr(repairs, "look", lambda *_: Differences(renamed[:1], renamed[1:]))
    with pytest.raises(CouldNotLook, match=r"oltp\.orders\.status is left"):
        repairs.RestoreColumn().run(stack)


def test_the_keys_with_a_column_come_back_with_it(cursor: Cursor, stack: Stack) -> None:
    """A dropped column takes a key of its own along; a client's key must not be taken twice."""
    assert keys_with("oltp.orders", "client_key") == {
        "one_order_per_client_key": "UNIQUE KEY one_order_per_client_key (client_key)"
    }
    assert keys_with("oltp.order_items", "line") == {"items_of_order": "KEY items_of_order (order_id, line)"}
    assert keys_with("oltp.order_items", "sku") == {}
    keys = keys_with("oltp.orders", "client_key")
    mariadb.add_filled_column(stack, "oltp.orders", "client_key", "VARCHAR(64) NOT NULL", {1: "a"}, keys)
    assert cursor.told[-1] == (
        "ALTER TABLE oltp.orders MODIFY `client_key` VARCHAR(64) NOT NULL, DROP KEY IF EXISTS"
        " `one_order_per_client_key`, ADD UNIQUE KEY one_order_per_client_key (client_key)"
    )


def test_a_row_that_the_lake_has_no_value_of_is_told(cursor: Cursor, stack: Stack) -> None:
    cursor.without = 3
    with pytest.raises(TerminalError, match="3 rows have no value, the first is 7"):
        mariadb.add_filled_column(stack, "oltp.order_items", "sku", "VARCHAR(32) NOT NULL", {1: "a"})
    assert not any("ALTER" in statement for statement in cursor.told), "the shop would go on"


def test_many_rows_are_filled_by_many_transactions(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb, "FILLED_ROWS", 2)
    mariadb.add_filled_column(
        stack, "oltp.order_items", "sku", "VARCHAR(32) NOT NULL", {5: "c", 1: "a", 9: "e", 2: "b", 7: "d"}
    )
    assert cursor.between == [("sku",), (1, 2), (5, 7), (9, 9)]
    updates = [statement for statement in cursor.told if statement.startswith("UPDATE")]
    assert len(updates) == 3 and all("BETWEEN %s AND %s" in statement for statement in updates)
    # The connection is in autocommit: each of these updates is a transaction.
    assert not any(word in statement for statement in cursor.told for word in ("BEGIN", "TRANSACTION", "COMMIT"))


def test_a_column_that_was_added_and_not_filled_is_restored_by_a_second_run(
    cursor: Cursor, stack: Stack, nullable: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nullable |= {"oltp.order_items.sku", "oltp.order_items.quantity", "oltp.notes.text"}
    answer = SimpleNamespace(rows=[(1, "a")])
    retyped = Difference("oltp.order_items", "quantity", "varchar", "INT")  # restore_column_type's matter
    monkeypatch.setattr(repairs, "look", lambda *_: Differences((), (retyped,)))
    monkeypatch.setattr(repairs, "_await_published", lambda *_: None)
    monkeypatch.setattr(repairs, "ask", lambda *_, **__: (SimpleNamespace(hash="f" * 40), answer))
    assert "IF NOT EXISTS sku VARCHAR(32) NOT NULL" in repairs.RestoreColumn().typed(stack)
    wanted = "oltp.order_items.sku is there again, with 1 values of ffffffffffff"
    assert repairs.RestoreColumn().run(stack) == wanted


def test_the_fault_keeps_the_values_for_its_own_removal(
    cursor: Cursor, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_there", lambda stack: True)
    faults.DroppedColumn().inject(stack)
    assert [word.split()[0] for word in cursor.told] == ["SET", "LOCK", "SELECT", "ALTER"]
    faults.DroppedColumn().remove(stack)
    assert cursor.values == [(1, "a"), (2, "b")]
    cursor.told.clear()
    faults.DroppedColumn().remove(stack)
    assert cursor.told == []


def test_without_a_missing_column_nothing_is_done(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "look", lambda *_: Differences((), ()))
    assert repairs.RestoreColumn().run(stack) == "nothing to restore, no column is missing"
    assert repairs.RestoreColumn().typed(stack) == "nothing to restore"
