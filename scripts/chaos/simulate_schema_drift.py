"""Add a column that nobody announced to a table of the order database, or drop it again (--revert). Prints JSON.

Only a column that this script added is dropped. Passwords and addresses are the stack's own, or those in its settings
for a database that somebody else runs.
"""

import argparse
import re
import sys


def main() -> int:
    """Exit 0 where the table has, or with --revert has not, the column."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="orders")
    parser.add_argument("--column", default="unannounced")
    parser.add_argument("--revert", action="store_true", help="drop the column")
    given = parser.parse_args()
    for name in (given.table, given.column):
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name):
            parser.error(f"{name!r} is no plain name (lower-case letters, digits, _)")

    from lakeproof.cli.output import fail, print_json
    from lakeproof.errors import LakeproofError
    from lakeproof.faults.drifted_schema import drift
    from lakeproof.stack.stack import load_stack

    try:
        columns = drift(load_stack(), given.table, given.column, revert=given.revert)
    except LakeproofError as error:
        return fail(error)
    present = given.column in columns
    print_json({"table": given.table, "column": given.column, "present": present, "columns": columns})
    return 0


if __name__ == "__main__":
    sys.exit(main())
