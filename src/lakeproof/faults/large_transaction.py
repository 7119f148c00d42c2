"""Batch work on old order lines: transactions of 100,000 rows, one after another, that leave every row as it was.

Each transaction raises the price of the oldest lines and takes that back, again and again, before it commits. Capture
delivers all of these rows before it comes to what others wrote meanwhile.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.backlog import bytes_left, largest_delivered
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

TABLE = "oltp.order_items"
SECONDS = 60.0
# The oldest lines are changed. No shopper comes back to so old a line, so nobody waits for the transactions' locks.
LINES = 400
# An update of a line takes at least this much of the binlog.
ROW_BYTES = 40
# The capture delivers this many rows on two cores: it was through 500,000 after some 105 s (docs/drills.md).
ROWS_A_SECOND = 4_800
# Where the capture is through already, as it soon is with a small transaction, these last seconds of the topic count.
DELIVERED_SECONDS = 60.0


class LargeTransaction(Arguments):
    """`rows`: changed rows of one transaction. The lake's job holds 128 MB of one, some 140,000 such rows."""

    rows: int = Field(100_000, ge=1000, le=120_000)
    transactions: int = Field(1, ge=1, le=20)


def inject(stack: Stack, arguments: LargeTransaction) -> None:
    """Write the transactions. Raises: InvalidInput where there are no lines."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT MAX(id), COUNT(*) FROM (SELECT id FROM {TABLE} ORDER BY id LIMIT {LINES}) AS oldest")
        last, lines = cursor.fetchone()
        if not lines:
            raise InvalidInput("it has no row to change", where=TABLE, next_action="lakeproof traffic")
        # READ COMMITTED locks the changed rows alone, so that new lines are written meanwhile.
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        for _ in range(arguments.transactions):
            cursor.execute("BEGIN")
            for _ in range(max(1, arguments.rows // (2 * lines))):
                for sign_ in ("+", "-"):
                    cursor.execute(f"UPDATE {TABLE} SET unit_price = unit_price {sign_} 1 WHERE id <= %s", (last,))
            cursor.execute("COMMIT")


def remove(stack: Stack, arguments: LargeTransaction) -> None:
    """Do nothing: every row is as it was, and the binlog is read in time."""


def sign(stack: Stack, arguments: LargeTransaction) -> Sign:
    """The capture has not come through the transactions yet, or one as large came through within a minute."""
    left = bytes_left(stack, OLTP.connector)
    if left > arguments.rows * ROW_BYTES:
        return Sign(True, f"{left:,} bytes of binlog are before the capture")
    rows = largest_delivered(stack, OLTP.connector, DELIVERED_SECONDS)
    # `inject` writes the greatest multiple of twice the number of lines that fits into `rows`.
    seen = f"{left:,} bytes of binlog are before the capture; the largest transaction that came has {rows:,} rows"
    return Sign(rows > arguments.rows // 2, seen)


FAULT = Fault(
    "large_transaction",
    "write transactions of very many rows",
    inject,
    remove,
    sign,
    LargeTransaction,
    lasts=lambda arguments: arguments.rows * arguments.transactions / ROWS_A_SECOND,
)
