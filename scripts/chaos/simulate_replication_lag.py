"""Pause change capture, let shoppers order, and say how far the capture fell behind. Prints JSON.

`rowCountDelta` and `binlogPositionDelta` are taken while the connector is paused, and again after it was resumed
(`afterResume`, where rowCountDelta must be 0). Orders go through the order service, so `lakeproof check` knows them.
"""

import argparse
import json
import os
import sys
from urllib.parse import urlsplit

ROWS_MAX = 1_000_000


def main() -> int:
    """Exit 0 where everything arrived after the resume (or --keep-paused was given), else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--connect-url", default="http://connect:8083", help="a component's name means the stack's own"
    )
    parser.add_argument("--rows", type=int, default=200, help="orders to write while paused")
    parser.add_argument("--connector", default="orders")
    parser.add_argument("--keep-paused", action="store_true", help="do not resume; `lakeproof fault remove` does")
    given = parser.parse_args()
    if not 1 <= given.rows <= ROWS_MAX:
        parser.error(f"--rows must be between 1 and {ROWS_MAX}")
    if urlsplit(given.connect_url).hostname != "connect":
        os.environ["LAKEPROOF_ENDPOINTS"] = json.dumps({"connect": {"http": given.connect_url}})

    from lakeproof.cli.output import fail, print_json, say
    from lakeproof.errors import LakeproofError
    from lakeproof.faults.backlog_rehearsal import rehearse
    from lakeproof.stack.stack import load_stack

    try:
        outcome = rehearse(load_stack(), given.connector, given.rows, keep_paused=given.keep_paused, progress=say)
    except LakeproofError as error:
        return fail(error)
    print_json(outcome)
    return 0 if given.keep_paused or outcome["afterResume"]["rowCountDelta"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
