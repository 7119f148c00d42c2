"""A new column is held against the lake's values of the one that is gone, in SQLite in the place of both."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.capture.columns import Difference
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import another_name
from lakeproof_shop.scenarios.schema_drift.another_name import Likeness, likeness, require_another_name

STACK = Stack(Settings())
SKU = Difference("oltp.order_items", "sku", None, "STRING")
CODE = Difference("oltp.order_items", "sku_code", "varchar", None)


class Both:
    """A table of the database, and what the lake has of it; `published` is what the lake has at the next hash."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.key = "id"
        self.published: list[tuple[Any, ...]] | None = None
        connection.execute("ATTACH ':memory:' AS oltp")
        connection.execute("ATTACH ':memory:' AS lake")

    def hold(self, database: list[tuple[Any, ...]], lake: list[tuple[Any, ...]]) -> None:
        """Rows of (key, sku_code) there, and of (key, sku) in the lake."""
        self._connection.execute(f"CREATE TABLE oltp.order_items ({self.key}, sku_code)")
        self._connection.execute(f"CREATE TABLE lake.order_items ({self.key}, sku)")
        self._connection.executemany("INSERT INTO oltp.order_items VALUES (?, ?)", database)
        self._connection.executemany("INSERT INTO lake.order_items VALUES (?, ?)", lake)

    @contextmanager
    def at_one_instant(self, stack: Stack, database: str, seconds: float) -> Iterator[Ask]:
        yield lambda sql: self._connection.execute(sql).fetchall()

    def described(self, *_: object) -> list[tuple[Any, ...]]:
        return [(self.key, "bigint", True), ("sku_code", "varchar", False)]

    def ask(self, stack: Stack, sql: str, *, seconds: float) -> tuple[None, SimpleNamespace]:
        return None, SimpleNamespace(
            rows=self._connection.execute(sql.replace("FROM oltp.", "FROM lake.")).fetchall()
        )

    def publish_now(self, *_: object) -> None:
        if self.published is not None:
            self._connection.execute("DELETE FROM lake.order_items")
            self._connection.executemany("INSERT INTO lake.order_items VALUES (?, ?)", self.published)

    def values_in(self, stack: Stack, connector: object, table: str, column: str) -> list[str]:
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"
        return [str(value) for (value,) in self._connection.execute(sql)]

    def has_rows(self, *_: object) -> bool:
        return bool(self._connection.execute("SELECT 1 FROM oltp.order_items").fetchone())


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    with closing(sqlite3.connect(":memory:")) as connection:
        made = Both(connection)
        for name in ("at_one_instant", "described", "has_rows", "values_in"):
            monkeypatch.setattr(mariadb, name, getattr(made, name))
        monkeypatch.setattr(another_name, "ask", made.ask)
        monkeypatch.setattr(another_name, "publish_now", made.publish_now)
        yield made


def test_a_column_with_the_lakes_values_is_the_same_under_another_name(both: Both) -> None:
    both.hold([(1, "a"), (2, "b"), (3, "new")], [(1, "a"), (2, "b"), (9, "deleted since")])
    assert likeness(STACK, OLTP, SKU, CODE) == Likeness(3, 2, (), 2)
    require_another_name(STACK, OLTP, SKU, CODE)


@pytest.mark.parametrize("value", ["2026-10-06 12:00:00", None], ids=["other values", "NULL"])
def test_a_column_with_other_values_is_refused_without_telling_them(both: Both, value: str | None) -> None:
    both.hold([(key, value) for key in range(1, 8)], [(key, f"SKU-{key}") for key in range(1, 8)])
    with pytest.raises(TerminalError, match=r"keys 1, 2, 3, 4, 5, …\).*--action restore_column") as refused:
        require_another_name(STACK, OLTP, SKU, CODE)
    assert "7 have another value in sku_code" in refused.value.message
    assert "SKU-1" not in refused.value.message and "2026" not in refused.value.message


def test_rows_that_were_changed_since_are_null_in_the_lake_once_it_has_them_and_do_not_count(both: Both) -> None:
    both.hold([(1, "a"), (2, "changed")], [(1, "a"), (2, "b")])
    both.published = [(1, "a"), (2, None)]
    assert likeness(STACK, OLTP, SKU, CODE) == Likeness(2, 1, (), 1)


def test_where_every_row_was_changed_since_nobody_can_tell(both: Both) -> None:
    both.hold([(1, "changed")], [(1, "a")])
    both.published = [(1, None)]
    with pytest.raises(CouldNotLook, match=r"each of the 1 rows that.*RENAME COLUMN sku_code TO sku"):
        require_another_name(STACK, OLTP, SKU, CODE)


def test_where_the_lake_has_no_value_only_a_table_without_rows_may_be_renamed(both: Both) -> None:
    both.hold([(1, "a")], [(1, None)])
    with pytest.raises(CouldNotLook, match="the lake has no value of it"):
        require_another_name(STACK, OLTP, SKU, CODE)


def test_a_table_without_rows_may_be_renamed(both: Both) -> None:
    both.hold([], [])
    require_another_name(STACK, OLTP, SKU, CODE)


def test_a_default_that_the_newest_rows_of_the_lake_have_as_well_is_no_other_name(both: Both) -> None:
    """It was renamed, and the lake's values of all older rows were overwritten."""
    rows = range(1, 1001)
    both.hold([(key, "created") for key in rows], [(key, "paid" if key <= 500 else "created") for key in rows])
    found = likeness(STACK, OLTP, SKU, CODE)
    assert (found.in_lake, found.alike, len(found.unlike), found.values) == (500, 250, 250, 1)
    with pytest.raises(TerminalError, match=r"it is not so .*keys 1, 2, 3, 4, 5, …"):
        require_another_name(STACK, OLTP, SKU, CODE)


def test_both_ends_of_a_table_are_asked_and_each_row_once(both: Both) -> None:
    rows = [(key, f"SKU-{key}") for key in range(1, 400)]
    both.hold(rows, rows)
    assert likeness(STACK, OLTP, SKU, CODE) == Likeness(399, 399, (), 399)
    require_another_name(STACK, OLTP, SKU, CODE)


@pytest.mark.parametrize(
    ("database", "lake"),
    [
        ([(1, "created"), (2, "created")], [(1, "created"), (2, None)]),
        ([(1, "created"), (2, None)], [(1, "created")]),
        ([(1, "created"), (2, "paid")], [(1, "created")]),
    ],
    ids=["the lake lacks it in a row", "the database lacks it in a row", "another value in a row that is new"],
)
def test_rows_that_agree_in_one_value_alone_do_not_tell(
    database: list[tuple[Any, ...]], lake: list[tuple[Any, ...]], both: Both
) -> None:
    both.hold(database, lake)
    with pytest.raises(CouldNotLook, match="1 rows have the lake's value, all of them the same one"):
        require_another_name(STACK, OLTP, SKU, CODE)


def test_a_column_of_one_value_in_every_row_on_both_sides_is_the_same_under_another_name(both: Both) -> None:
    rows = [(key, "created") for key in range(1, 4)]
    both.hold(rows, rows)
    require_another_name(STACK, OLTP, SKU, CODE)


def test_one_number_of_two_scales_is_one_value(both: Both) -> None:
    both.hold([(1, "12.5000")], [(1, "12.50")])
    price = Difference("oltp.order_items", "sku", None, "DECIMAL(12, 2)")
    assert likeness(STACK, OLTP, price, CODE) == Likeness(1, 1, (), 1)


def test_rows_may_have_a_uuid_for_their_key(both: Both) -> None:
    """As PostgreSQL's notifications have. It ended with a ValueError."""
    keys = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
    both.hold([(keys[0], "a"), (keys[1], "other"), (keys[2], "x")], [(keys[0], "a"), (keys[1], "b"), (keys[2], "c")])
    assert likeness(STACK, OLTP, SKU, CODE) == Likeness(3, 1, (keys[1], keys[2]), 1)


def test_a_key_that_would_have_to_be_quoted_is_left_to_a_person(both: Both) -> None:
    both.hold([("it's", "a")], [("it's", "a")])
    with pytest.raises(CouldNotLook, match="odd signs"):
        likeness(STACK, OLTP, SKU, CODE)


def test_a_renamed_key_is_left_to_a_person(both: Both) -> None:
    both.key = "sku_code"
    with pytest.raises(CouldNotLook, match="no other key"):
        likeness(STACK, OLTP, SKU, CODE)


@pytest.mark.parametrize(("source", "words"), [(OLTP, "--action restore_column"), (SHOP, "a person has to add sku")])
def test_what_to_do_is_told_for_each_server(source: Source, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(another_name, "likeness", lambda *_: Likeness(3, 1, (7, 8), 1))
    with pytest.raises(TerminalError, match=words):
        require_another_name(STACK, source, SKU, CODE)
