"""Rows of a table as steps: insert, delete, change, in the words of MariaDB, PostgreSQL and the lake's Flink SQL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any

from benchmarks.corruption.kind import Planted, Step
from benchmarks.corruption.least_steps import literal
from lakeproof_shop import tables as jobs

type Row = Mapping[str, Any]

CAPTURED, STORE_ONLY, POSTGRES, LAKE = "mariadb", "mariadb-only", "postgres", "lake"


@dataclass(frozen=True)
class Table:
    """A table of a database. key: the column of its primary key."""

    store: str
    name: str
    key: str = "id"

    @property
    def _quote(self) -> str:
        return '"' if self.store == POSTGRES else "`"

    def insert(self, row: Row) -> Step:
        """The step that inserts the row."""
        names = ", ".join(f"{self._quote}{name}{self._quote}" for name in row)
        values = ", ".join(self._literal(value) for value in row.values())
        # The id columns in PostgreSQL are GENERATED ALWAYS.
        overriding = " OVERRIDING SYSTEM VALUE" if self.store == POSTGRES else ""
        return Step(self.store, f"INSERT INTO {self.name} ({names}){overriding} VALUES ({values})")

    def delete(self, row: Row) -> Step:
        """The step that deletes the row of that key."""
        return Step(self.store, f"DELETE FROM {self.name} WHERE {self._is(row)}")

    def update(self, before: Row, after: Row) -> Step:
        """The step that changes the row of `before`'s key into `after`."""
        sets = ", ".join(
            f"{self._quote}{name}{self._quote} = {self._literal(value)}"
            for name, value in after.items()
            if value != before[name]
        )
        return Step(self.store, f"UPDATE {self.name} SET {sets} WHERE {self._is(before)}")

    def goes(self, what: str, keys: tuple[str, ...], row: Row) -> Planted:
        """A round that deletes the row."""
        return Planted(what, keys, (self.delete(row),), (self.insert(row),))

    def comes(self, what: str, keys: tuple[str, ...], row: Row) -> Planted:
        """A round that inserts the row."""
        return Planted(what, keys, (self.insert(row),), (self.delete(row),))

    def becomes(self, what: str, keys: tuple[str, ...], *pairs: tuple[Row, Row]) -> Planted:
        """A round that changes the first row of each pair into the second."""
        do, undo = [self.update(*pair) for pair in pairs], [self.update(after, before) for before, after in pairs]
        return Planted(what, keys, tuple(do), tuple(undo))

    def _is(self, row: Row) -> str:
        return f"{self._quote}{self.key}{self._quote} = {self._literal(row[self.key])}"

    def _literal(self, value: Any) -> str:
        return literal(value, backslash=self.store in (CAPTURED, STORE_ONLY))


@dataclass(frozen=True)
class LakeTable:
    """A Paimon table.

    columns: name → Flink's type.
    has_key: an insert replaces the row of the same key. Without a key, rows are only added, and a row is deleted by
    writing the whole table anew.
    """

    name: str
    columns: Mapping[str, str]
    has_key: bool = True

    @property
    def place(self) -> str:
        """The table's name in a session of Flink's SQL gateway."""
        return f"lake_store.{self.name}"

    def insert(self, rows: Sequence[Row]) -> Step:
        """The step that inserts the rows; in a table with a key they replace rows of the same key."""
        values = ", ".join(f"({', '.join(self._cast(row, name) for name in self.columns)})" for row in rows)
        return Step(LAKE, f"INSERT INTO {self.place} VALUES {values}")

    def delete(self, column: str, values: Sequence[Any]) -> Step:
        """The step that deletes rows with one of the values; in a table without a key, also rows with NULL there."""
        listed = ", ".join(literal(value) for value in values)
        if self.has_key:
            return Step(LAKE, f"DELETE FROM {self.place} WHERE `{column}` IN ({listed})")
        return Step(
            LAKE, f"INSERT OVERWRITE {self.place} SELECT * FROM {self.place} WHERE `{column}` NOT IN ({listed})"
        )

    def _cast(self, row: Row, name: str) -> str:
        value = row[name]
        if isinstance(value, datetime | Decimal | str | int):
            return f"CAST({literal(str(value) if isinstance(value, Decimal) else value)} AS {self.columns[name]})"
        return f"CAST(NULL AS {self.columns[name]})"


def lake_table(database: str, name: str) -> LakeTable:
    """A table of the lake, as its job's SQL file describes it."""
    text = (resources.files(jobs) / database / f"{name}.sql").read_text()
    found = re.search(r"CREATE TABLE IF NOT EXISTS \w+ \((.*?)\n\) WITH", text, re.DOTALL)
    assert found is not None, f"{name}.sql makes no table"
    columns = dict(re.findall(r"^    `?([a-z_]\w*)`? ([A-Z]+(?:\([\d, ]+\))?)", found[1], re.MULTILINE))
    return LakeTable(f"{database}.{name}", columns, "PRIMARY KEY" in found[1])


def row_changed(what: str, keys: tuple[str, ...], table: LakeTable, row: Row, after: Row) -> Planted:
    """A round that changes a row of the lake into `after`."""
    if table.has_key:
        return Planted(what, keys, (table.insert([after]),), (table.insert([row]),))
    return Planted(
        what,
        keys,
        (table.delete("id", [row["id"]]), table.insert([after])),
        (table.delete("id", [after["id"], row["id"]]), table.insert([row])),
    )


ORDERS, ITEMS, EVENTS = (lake_table("oltp", name) for name in ("orders", "order_items", "order_events"))
