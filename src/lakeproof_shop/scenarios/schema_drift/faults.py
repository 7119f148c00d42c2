"""Faults of the scenario schema-drift."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.columns import declared_columns, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.evolving import expect_absence, undo
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof_shop.customers.marked_values import forget, mark

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

DATABASE = "oltp"

SECONDS = 20.0

# This many rows get a value: far fewer than a repair asks a person about (lake/sources/engine.py, KEPT_VALUES).
WRITTEN = 5

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]

# `orders`; `oltp.orders` means the same.
TableName = Annotated[
    Name, BeforeValidator(lambda given: given.removeprefix(f"{DATABASE}.") if isinstance(given, str) else given)
]


class DriftedSchema(Fault):
    """Add a column that nobody announced to a table of the order database.

    A table of the order database gets a column that nobody announced: the lake's rows lack it.

    Some rows get a value in it, each a different one, as from whoever added the column. That changes nothing that
    the shop or its ledger knows of these rows. The values are on record (customers/marked_values.py), so that a
    check can ask what became of them.

    Where a repair declared the column meanwhile (`lake evolve`), taking it out takes the declaration back as well.

    `column`: a name that the table does not have; a text column, in which a few rows have a value.
    """

    table: TableName = "orders"
    column: Name = "unannounced"

    def inject(self, stack: Stack) -> None:
        """Add the column, and write into it; a column that has values already keeps them.

        Where the table has no row, or no `id`, no value is written, and a check has nothing to ask about.
        """
        drift(stack, self.table, self.column)
        _write(stack, self.table, self.column)

    def remove(self, stack: Stack) -> None:
        """Drop the column with its values. Raises: as `drift`; what a redeployment of the job raises."""
        drift(stack, self.table, self.column, revert=True)
        forget(stack, f"{DATABASE}.{self.table}", self.column)

    def sign(self, stack: Stack) -> Sign:
        """The column is in the database's own list."""
        with mariadb.as_root(stack, SECONDS) as cursor:
            there = self.column in _columns(cursor, self.table)
        return Sign(there, f"{DATABASE}.{self.table} has {'the' if there else 'no'} column {self.column}")


def drift(stack: Stack, table: str, column: str, *, revert: bool = False) -> list[str]:
    """Add the column, or with `revert` drop it (only if a drift added it) and its declaration in the lake; gives the
    table's columns afterwards.

    Raises: InvalidInput where there is no such table, or the column is the table's own; NotReady where the database
    does not answer, or refuses.
    """
    full_table = f"{DATABASE}.{table}"
    with mariadb.as_root(stack, SECONDS) as cursor:
        found = _columns(cursor, table)
        if not found:
            raise InvalidInput("no such table", where=full_table, next_action="name one of the shop's tables")
        if found.get(column, True) is not True:
            raise InvalidInput(f"{column} is a column of its own", where=full_table, next_action="give another name")
        declared = revert and expect_absence(stack, OLTP, full_table, column)
        if revert and column in found:
            cursor.execute(f"ALTER TABLE {DATABASE}.`{table}` DROP COLUMN `{column}`")
        elif not revert and column not in found:
            cursor.execute(
                f"ALTER TABLE {DATABASE}.`{table}` ADD COLUMN `{column}` VARCHAR(64) NULL COMMENT '{_MARK}'"
            )
        left = list(_columns(cursor, table))
    if declared:
        undo(stack, full_table, column)
    return left


def _write(stack: Stack, table: str, column: str) -> None:
    """Write into the newest rows, each by a statement of its own, so that no lock on more than one row is held."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        if "id" not in _columns(cursor, table):
            return
        cursor.execute(f"SELECT id FROM {DATABASE}.`{table}` WHERE `{column}` IS NOT NULL LIMIT 1")
        if cursor.fetchone() is not None:
            return
        cursor.execute(f"SELECT id FROM {DATABASE}.`{table}` ORDER BY id DESC LIMIT {WRITTEN}")
        values = {int(row[0]): f"{column}-{row[0]}" for row in cursor.fetchall()}
        # On record first: nobody would ask after a value that is in the table and not on record.
        mark(stack, f"{DATABASE}.{table}", column, values)
        for row, value in values.items():
            cursor.execute(f"UPDATE {DATABASE}.`{table}` SET `{column}` = %s WHERE id = %s", (value, row))


_MARK = "schema drift by lakeproof"


def _columns(cursor: "Cursor", table: str) -> dict[str, bool]:
    """Column → whether a drift added it, in the table's order; empty where there is no such table."""
    cursor.execute(
        "SELECT column_name, column_comment FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (DATABASE, table),
    )
    return {str(name): comment == _MARK for name, comment in cursor.fetchall()}


TABLE, COLUMN, DEFINITION = "oltp.order_items", "sku", "VARCHAR(32) NOT NULL"

DROP_SECONDS = 30.0


def _kept(stack: Stack) -> Path:
    return stack.state_dir / "dropped_column.json"


def _there(stack: Stack) -> bool:
    return COLUMN in mariadb.columns(stack, find_connector(OLTP.connector), DROP_SECONDS)[TABLE]


class DroppedColumn(Fault):
    """Drop a column of the order database.

    A column of the order database is dropped: the shop's service fails, and the lake would get NULL.

    The column's values are kept in a file of the stack, for `remove` alone: a repair has to find them elsewhere.
    """

    def inject(self, stack: Stack) -> None:
        """Keep the column's values and drop it, while nobody writes; safe where it is gone."""
        if not _there(stack):
            return
        with mariadb.as_root(stack, DROP_SECONDS) as cursor:
            mariadb.lock_table(cursor, TABLE)
            cursor.execute(f"SELECT id, {COLUMN} FROM {TABLE}")
            write_file(_kept(stack), json.dumps(dict(cursor.fetchall())))
            cursor.execute(f"ALTER TABLE {TABLE} DROP COLUMN {COLUMN}")

    def remove(self, stack: Stack) -> None:
        """Bring the column back as it was, unless a repair has; safe where it was never dropped."""
        kept = _kept(stack)
        if kept.exists():
            values = {int(key): str(value) for key, value in json.loads(kept.read_text(encoding="utf-8")).items()}
            mariadb.add_filled_column(stack, TABLE, COLUMN, DEFINITION, values)
            kept.unlink()

    def sign(self, stack: Stack) -> Sign:
        """The database's own list lacks the column, and has no other in its place."""
        missing = [str(each) for each in look(stack, OLTP).without_renamed.unreadable if each.kind is None]
        return Sign(f"{TABLE}.{COLUMN}" in missing, f"missing columns: {' '.join(missing) or 'none'}")


ASK_SECONDS = 5.0


class RenamedColumn(Fault):
    """Rename a column of the order database.

    `column`: one that the lake's SQL declares. `name`: its new name.
    """

    table: TableName = "order_items"
    column: Name = "sku"
    name: Name = "sku_code"

    @property
    def full_table(self) -> str:
        """The table's name with its database."""
        return f"{DATABASE}.{self.table}"

    def inject(self, stack: Stack) -> None:
        """Rename the column; safe where that is done. Raises: InvalidInput for a column that the SQL does not
        declare.
        """
        if self.column not in declared_columns(OLTP, stack).get(self.full_table, {}):
            raise InvalidInput("the lake reads no such column", where=f"{self.full_table}.{self.column}")
        self._rename(stack, self.column, self.name)

    def remove(self, stack: Stack) -> None:
        """Give the column its own name back."""
        self._rename(stack, self.name, self.column)

    def _rename(self, stack: Stack, column: str, name: str) -> None:
        connector = find_connector(OLTP.connector)
        there = mariadb.columns(stack, connector, ASK_SECONDS)[self.full_table]
        if column in there and name not in there:
            mariadb.rename_column(stack, connector, self.full_table, column, name)

    def sign(self, stack: Stack) -> Sign:
        """The database's own list has the new name in the old one's place."""
        found = [f"{gone}→{new.column}" for gone, new in look(stack, OLTP).renamed]
        wanted = f"{self.full_table}.{self.column}→{self.name}"
        return Sign(wanted in found, f"renamed columns: {' '.join(found) or 'none'}")


LINE_TABLE, LINE_COLUMN = "oltp.order_items", "line"
# ALTER TABLE waits for every open transaction of the table.
LINE_SECONDS = 30.0


class RetypedColumn(Fault):
    """Give a column of the order database another type, all values of which still fit.

    A whole-number column of the order database is widened. Every value still fits: the shop and the lake go on.

    What happens once a value does not fit is another fault (widened_column.py).

    `kind`: the new type. Each value of a MEDIUMINT can be read as the INT that the lake declares.
    """

    kind: Literal["BIGINT", "MEDIUMINT"] = "BIGINT"

    def inject(self, stack: Stack) -> None:
        """Give the column that type; safe where it has it."""
        _alter(stack, self.kind)

    def remove(self, stack: Stack) -> None:
        """Give the column the shop's type back."""
        _alter(stack, "INT")

    def sign(self, stack: Stack) -> Sign:
        """The database's own list has the column with that type."""
        kind = mariadb.columns(stack, find_connector(OLTP.connector), LINE_SECONDS)[LINE_TABLE].get(LINE_COLUMN)
        return Sign(kind == self.kind.lower(), f"{LINE_TABLE}.{LINE_COLUMN} is {kind}")


def _alter(stack: Stack, kind: str) -> None:
    with mariadb.as_root(stack, LINE_SECONDS) as cursor:
        cursor.execute(f"ALTER TABLE {LINE_TABLE} MODIFY {LINE_COLUMN} {kind} NOT NULL")
