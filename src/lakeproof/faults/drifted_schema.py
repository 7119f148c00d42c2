"""A table of the order database gets a column that nobody announced: the lake's rows lack it.

Some rows get a value in it, each a different one, as from whoever added the column. That changes nothing that the
shop or its ledger knows of these rows. The values are on record (customers/marked_values.py), so that a check can ask
what became of them.

Where a repair declared the column meanwhile (`lake evolve`), taking it out takes the declaration back as well.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from lakeproof.arguments import Arguments
from lakeproof.customers.marked_values import forget, mark
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.evolving import expect_absence, undo
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

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


class DriftedSchema(Arguments):
    """`column`: a name that the table does not have; a text column, in which a few rows have a value."""

    table: TableName = "orders"
    column: Name = "unannounced"


def inject(stack: Stack, arguments: DriftedSchema) -> None:
    """Add the column, and write into it; a column that has values already keeps them.

    Where the table has no row, or no `id`, no value is written, and a check has nothing to ask about.
    """
    drift(stack, arguments.table, arguments.column)
    _write(stack, arguments.table, arguments.column)


def remove(stack: Stack, arguments: DriftedSchema) -> None:
    """Drop the column with its values. Raises: as `drift`; what a redeployment of the job raises."""
    drift(stack, arguments.table, arguments.column, revert=True)
    forget(stack, f"{DATABASE}.{arguments.table}", arguments.column)


def sign(stack: Stack, arguments: DriftedSchema) -> Sign:
    """The column is in the database's own list."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        there = arguments.column in _columns(cursor, arguments.table)
    return Sign(there, f"{DATABASE}.{arguments.table} has {'the' if there else 'no'} column {arguments.column}")


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


FAULT = Fault(
    "drifted_schema",
    "add a column that nobody announced to a table of the order database",
    inject,
    remove,
    sign,
    DriftedSchema,
)
