"""A whole-number column of the order database is widened. Every value still fits: the shop and the lake go on.

What happens once a value does not fit is another fault (widened_column.py).
"""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.widened_column import COLUMN, SECONDS, TABLE
from lakeproof.lake.capture.columns import look
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack


def inject(stack: Stack, arguments: Arguments) -> None:
    """Widen it; fine where it is wide."""
    _alter(stack, "BIGINT")


def remove(stack: Stack, arguments: Arguments) -> None:
    """Give it the shop's type back."""
    _alter(stack, "INT")


def _alter(stack: Stack, kind: str) -> None:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} {kind} NOT NULL")


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """The database's own list has it with a type that the lake does not take for sure."""
    found = {str(each): each.kind for each in look(stack, OLTP).unreadable}
    kind = found.get(f"{TABLE}.{COLUMN}")
    return Sign(kind is not None, f"{TABLE}.{COLUMN} is {kind or 'as the lake declares it'}")


FAULT = Fault(
    "retyped_column", "widen a column of the order database, all values of which still fit", inject, remove, sign
)
