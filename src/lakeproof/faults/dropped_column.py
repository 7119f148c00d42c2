"""A column of the order database is dropped: the shop's service fails, and the lake would get NULL.

The column's values are kept in a file of the stack, for `remove` alone: a repair has to find them elsewhere.
"""

import json
from pathlib import Path

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.columns import look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

TABLE, COLUMN, DEFINITION = "oltp.order_items", "sku", "VARCHAR(32) NOT NULL"
SECONDS = 30.0


def _kept(stack: Stack) -> Path:
    return stack.state_dir / "dropped_column.json"


def _there(stack: Stack) -> bool:
    return COLUMN in mariadb.columns(stack, find_connector(OLTP.connector), SECONDS)[TABLE]


def inject(stack: Stack, arguments: Arguments) -> None:
    """Keep the column's values and drop it, while nobody writes; safe where it is gone."""
    if not _there(stack):
        return
    with mariadb.as_root(stack, SECONDS) as cursor:
        mariadb.lock_table(cursor, TABLE)
        cursor.execute(f"SELECT id, {COLUMN} FROM {TABLE}")
        write_file(_kept(stack), json.dumps(dict(cursor.fetchall())))
        cursor.execute(f"ALTER TABLE {TABLE} DROP COLUMN {COLUMN}")


def remove(stack: Stack, arguments: Arguments) -> None:
    """Bring the column back as it was, unless a repair has; safe where it was never dropped."""
    kept = _kept(stack)
    if kept.exists():
        values = {int(key): str(value) for key, value in json.loads(kept.read_text(encoding="utf-8")).items()}
        mariadb.add_filled_column(stack, TABLE, COLUMN, DEFINITION, values)
        kept.unlink()


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """The database's own list lacks the column, and has no other in its place."""
    missing = [str(each) for each in look(stack, OLTP).without_renamed.unreadable if each.kind is None]
    return Sign(f"{TABLE}.{COLUMN}" in missing, f"missing columns: {' '.join(missing) or 'none'}")


FAULT = Fault("dropped_column", "drop a column of the order database", inject, remove, sign)
