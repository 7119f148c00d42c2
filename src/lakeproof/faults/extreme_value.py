"""One row of the order database gets a value that the lake's type just holds. Everything that reads it goes on.

What happens one step further is another fault (widened_column.py).
"""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.widened_column import COLUMN, SECONDS, TABLE, row_to_change
from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack

# Added to the value of one row, which is small. An INT holds 2,147,483,647.
ADDED = 2_147_483_000


def inject(stack: Stack, arguments: Arguments) -> None:
    """Change one row; if one is changed already, no other is."""
    if _greatest(stack) < ADDED:
        with mariadb.as_root(stack, SECONDS) as cursor:
            row = row_to_change(cursor)
            cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} + %s WHERE id = %s", (ADDED, row))


def remove(stack: Stack, arguments: Arguments) -> None:
    """Give the row its old value back."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} - %s WHERE {COLUMN} >= %s", (ADDED, ADDED))


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """The database has a row with such a value."""
    greatest = _greatest(stack)
    return Sign(greatest >= ADDED, f"the greatest {TABLE}.{COLUMN} is {greatest}")


def _greatest(stack: Stack) -> int:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT COALESCE(MAX({COLUMN}), 0) FROM {TABLE}")
        return int(cursor.fetchone()[0])


FAULT = Fault("extreme_value", "write a value that the lake's type just holds", inject, remove, sign)
