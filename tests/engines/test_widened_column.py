"""A widened column in the real MariaDB: the row gets back what the lake last read, then the column its type."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import TerminalError
from lakeproof.lake.capture.columns import look
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations import columns
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import faults

pytestmark = [pytest.mark.engines, pytest.mark.proof]


@pytest.fixture
def items(stack: Stack, up: Callable[..., SupervisorClient]) -> Iterator[Callable[[], list[tuple[int, ...]]]]:
    """Two lines of an order; gives (id, line) of all items now."""
    up("mysql")

    def rows() -> list[tuple[int, ...]]:
        with mariadb.as_root(stack, 10.0) as cursor:
            cursor.execute("SELECT id, line FROM oltp.order_items ORDER BY id")
            return list(cursor.fetchall())

    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("DELETE FROM oltp.order_items")
        cursor.execute(
            "INSERT INTO oltp.order_items (order_id, line, sku, quantity, unit_price)"
            " VALUES (1, 1, 'a', 1, 1.00), (1, 2, 'b', 1, 1.00)"
        )
    yield rows
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("DELETE FROM oltp.order_items")
        cursor.execute("ALTER TABLE oltp.order_items MODIFY line INT NOT NULL")


def lake(monkeypatch: pytest.MonkeyPatch, rows: list[tuple[Any, ...]]) -> None:
    def ask(stack: Stack, sql: str, *, seconds: float) -> tuple[None, Answer]:
        asked = {int(key) for key in re.findall(r"\d+", sql.partition(" IN ")[2])}
        return None, Answer("trino", (), tuple(list(row) for row in rows if row[0] in asked), 0.1)

    monkeypatch.setattr(columns, "ask", ask)


def test_the_fault_changes_one_row_however_often_and_takes_it_back(
    stack: Stack, items: Callable[[], list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[tuple[str, str]] = []
    monkeypatch.setattr(faults, "pass_unreadable", lambda stack, source, *column: passed.append(column))
    monkeypatch.setattr(faults, "refused_value", lambda stack, timeout, source: "none")
    before = items()
    for _ in range(2):
        faults.WidenedColumn().inject(stack)
        assert [line for _, line in items()] == [3_000_000_001, 2]
    assert [str(each) for each in look(stack, OLTP).unreadable] == ["oltp.order_items.line"]
    for _ in range(2):
        faults.WidenedColumn().remove(stack)
        assert items() == before
    assert look(stack, OLTP).unreadable == ()
    assert passed == [("oltp.order_items", "line")]


def test_the_row_of_a_cancelled_order_is_taken_before_an_older_one_of_an_order_that_lives(
    stack: Stack, items: Callable[[], list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "pass_unreadable", lambda *_: None)
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("DELETE FROM oltp.orders")
        cursor.execute(
            "INSERT INTO oltp.orders (id, client_key, customer_id, status, total, item_count, version,"
            " created_at, updated_at) VALUES"
            " (1, 'a', 1, 'created', 2.00, 2, 1, NOW(6), NOW(6)),"
            " (2, 'b', 1, 'cancelled', 1.00, 1, 1, NOW(6), NOW(6)), (3, 'c', 1, 'paid', 1.00, 1, 1, NOW(6), NOW(6))"
        )
        cursor.execute(
            "INSERT INTO oltp.order_items (order_id, line, sku, quantity, unit_price)"
            " VALUES (3, 1, 'c', 1, 1.00), (2, 1, 'd', 1, 1.00)"
        )
    faults.WidenedColumn().inject(stack)
    assert [line for _, line in items()] == [1, 2, 1, 3_000_000_001]
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("DELETE FROM oltp.orders")


def test_the_repair_corrects_the_row_and_the_type(
    stack: Stack, items: Callable[[], list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = items()
    lake(monkeypatch, before)
    faults.WidenedColumn().inject(stack)
    asked = columns.RestoreColumnType().typed(stack)
    assert asked.endswith(
        "for each of 1 rows; ALTER TABLE oltp.order_items MODIFY line INT NOT NULL; values that are overwritten: "
        f"oltp.order_items.line of id {before[0][0]}: 3000000001"
    )
    done, _, path = columns.RestoreColumnType().run(stack).partition("; what they had is kept in ")
    assert done == "oltp.order_items.line is INT again, 1 rows corrected"
    kept = {"oltp.order_items.line": {str(before[0][0]): "3000000001"}}
    assert json.loads(Path(path).read_text())["values"] == kept
    assert items() == before
    assert columns.RestoreColumnType().run(stack).startswith("nothing to restore")


def test_a_row_that_the_lake_never_had_is_left_to_a_person(
    stack: Stack, items: Callable[[], list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake(monkeypatch, [])
    faults.WidenedColumn().inject(stack)
    with pytest.raises(TerminalError, match="the lake does not know what was right"):
        columns.RestoreColumnType().run(stack)
    assert items()[0][1] == 3_000_000_001


def test_a_text_is_corrected_as_well(
    stack: Stack, items: Callable[[], list[tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = items()
    lake(monkeypatch, before)
    with mariadb.as_root(stack, 10.0) as cursor:
        cursor.execute("ALTER TABLE oltp.order_items MODIFY line VARCHAR(16) NOT NULL")
        cursor.execute("UPDATE oltp.order_items SET line = 'second' WHERE id = %s", (before[1][0],))
    columns.RestoreColumnType().run(stack)
    assert items() == before
