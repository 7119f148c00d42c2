"""Pause change capture, let shoppers order, and say how far the capture fell behind. Prints JSON.

`rowCountDelta` and `binlogPositionDelta` are taken while the connector is paused, and again after it was resumed
(`afterResume`, where rowCountDelta must be 0). Orders go through the order service, so `lakeproof check` knows them.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

ROWS_MAX = 1_000_000


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--connect-url", default="http://connect:8083", help="a component's name: the stack's own")
    parser.add_argument("--rows", type=int, default=200, help="orders to write while paused")
    parser.add_argument("--connector", default="orders")
    resumes = "`lakeproof fault remove paused_connector` does"
    parser.add_argument("--keep-paused", action="store_true", help=f"do not resume; {resumes}")
    given = parser.parse_args(arguments)
    if not 1 <= given.rows <= ROWS_MAX:
        parser.error(f"--rows must be between 1 and {ROWS_MAX}")
    return given


def main() -> int:
    """Exit 0 where everything arrived after the resume (or --keep-paused was given), else 1."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.cli.output import say
        from lakeproof.errors import TransientError
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.replication_lag.rehearsal import rehearse

        stack = load_stack().at("connect", given.connect_url)
        rehearse(stack, given.connector, given.rows, found, keep_paused=given.keep_paused, progress=say)
        after = {"rowCountDelta": 0} if given.keep_paused else found["afterResume"]
        if after["rowCountDelta"]:
            left = f"{after['rowCountDelta']} of {found['rowsWritten']} orders"
            what = f"{left} did not arrive within {after['seconds']} s"
            raise TransientError(what, where=f"connector {given.connector}", next_action="lakeproof diagnose")
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
