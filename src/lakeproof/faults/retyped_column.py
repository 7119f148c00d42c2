"""A whole-number column of the order database is widened. Every value still fits: the shop and the lake go on.

What happens once a value does not fit is another fault (widened_column.py).
"""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.widened_column import COLUMN, SECONDS, TABLE
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack


class RetypedColumn(Arguments):
    """`kind`: the new type. Each value of a MEDIUMINT can be read as the INT that the lake declares."""

    kind: Literal["BIGINT", "MEDIUMINT"] = "BIGINT"


def inject(stack: Stack, arguments: RetypedColumn) -> None:
    """Give the column that type; safe where it has it."""
    _alter(stack, arguments.kind)


def remove(stack: Stack, arguments: RetypedColumn) -> None:
    """Give the column the shop's type back."""
    _alter(stack, "INT")


def _alter(stack: Stack, kind: str) -> None:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} {kind} NOT NULL")


def sign(stack: Stack, arguments: RetypedColumn) -> Sign:
    """The database's own list has the column with that type."""
    kind = mariadb.columns(stack, find_connector(OLTP.connector), SECONDS)[TABLE].get(COLUMN)
    return Sign(kind == arguments.kind.lower(), f"{TABLE}.{COLUMN} is {kind}")


FAULT = Fault(
    "retyped_column",
    "give a column of the order database another type, all values of which still fit",
    inject,
    remove,
    sign,
    RetypedColumn,
)
