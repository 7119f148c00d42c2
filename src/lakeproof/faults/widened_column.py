"""A whole-number column of the order database is widened, and one row gets a value that the lake's type cannot hold.

The shop goes on: it reads any whole number. The job does not: it fails at that row, and again after each restart.
(A text would stop the shop as well, which is another incident: decision 0019.)
"""

from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.job.unreadable import finish_pass, pass_unreadable
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.flink import NO_EXCEPTION, refused_value
from lakeproof.stack.stack import Stack

TABLE, COLUMN = "oltp.order_items", "line"
SECONDS = 30.0
# At a drill's six calls a second an order is cancelled about every three seconds; without shoppers none is.
CANCELLED_SECONDS = 10.0
# Added to the value of one row: beyond an INT, within a BIGINT.
BEYOND = 3_000_000_000


def inject(stack: Stack, arguments: Arguments) -> None:
    """Widen the column and change one row; if one is changed already, no other is.

    The oldest row of a cancelled order is taken, where there is one within CANCELLED_SECONDS. Shoppers pay and change
    the other orders, and the shop's answer would show them the changed row, which is not what they asked for.
    """
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {TABLE} WHERE {COLUMN} > %s", (BEYOND,))
        row = row_to_change(cursor) if cursor.fetchone() == (0,) else None
        cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} BIGINT NOT NULL")
        if row is not None:
            cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} + %s WHERE id = %s", (BEYOND, row))


def row_to_change(cursor: Any) -> int:
    """The id of the row to change. Raises: InvalidInput where there is no row."""
    deadline = Deadline(CANCELLED_SECONDS)
    while True:
        cursor.execute(
            f"SELECT item.id, orders.status <=> 'cancelled' FROM {TABLE} item"
            " LEFT JOIN oltp.orders ON orders.id = item.order_id"
            " ORDER BY orders.status = 'cancelled' DESC, item.id LIMIT 1"
        )
        row = cursor.fetchone()
        if not row:
            raise InvalidInput("it has no row to change", where=TABLE, next_action="lakeproof traffic")
        if row[1] or deadline.expired:
            return int(row[0])
        deadline.pause(0.5)


def remove(stack: Stack, arguments: Arguments) -> None:
    """Give row and column back what they had, and get the job past the record that it cannot read."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"UPDATE {TABLE} SET {COLUMN} = {COLUMN} - %s WHERE {COLUMN} > %s", (BEYOND, BEYOND))
        mended = cursor.rowcount
        cursor.execute(f"ALTER TABLE {TABLE} MODIFY {COLUMN} INT NOT NULL")
    if mended or refused_value(stack, SECONDS, OLTP) not in (NO_EXCEPTION, None):
        pass_unreadable(stack, OLTP, TABLE, COLUMN)
    else:
        finish_pass(stack, OLTP)


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """The job itself names the column that it cannot read."""
    seen = refused_value(stack, SECONDS, OLTP)
    return Sign(str(seen).startswith(f"{TABLE}.{COLUMN}:"), f"the job's newest failure: {seen}")


FAULT = Fault(
    "widened_column",
    "widen a column and write a value that the lake's type cannot hold",
    inject,
    remove,
    sign,
    through_capture=True,
)
