"""Add a column that nobody announced to a table of the order database, or drop it again (--revert). Prints JSON.

Only a column that this script added is dropped. Passwords and addresses are the stack's own, or those in its settings
for a database that somebody else runs.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

NAME = r"[a-z][a-z0-9_]{0,47}"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments; `table` without its schema."""
    parser = Arguments(__doc__)
    parser.add_argument("--table", default="orders", help="orders, or oltp.orders")
    parser.add_argument("--column", default="unannounced")
    parser.add_argument("--revert", action="store_true", help="drop the column")
    given = parser.parse_args(arguments)
    given.table = given.table.removeprefix("oltp.")
    for name in (given.table, given.column):
        if not re.fullmatch(NAME, name):
            parser.error(f"{name!r} is no plain name (lower-case letters, digits, _); a table may begin with oltp.")
    return given


def main() -> int:
    """Exit 0 where the table has, or with --revert has not, the column."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.schema_drift.faults import drift

        found |= {"table": given.table, "column": given.column}
        columns = drift(load_stack(), given.table, given.column, revert=given.revert)
        found |= {"present": given.column in columns, "columns": columns}
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
