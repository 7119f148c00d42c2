"""Shorten the TTL of the table of reservations, or set it back (--revert). Prints JSON.

Reservations that are made from now on vanish after --ttl seconds: what naive shops then sell twice. Passwords and
addresses are the stack's own, or those in its settings for a ring that somebody else runs.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

TTL_MAX = 20 * 365 * 86_400


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--keyspace", default="inventory")
    parser.add_argument("--table", default="reservations")
    parser.add_argument("--ttl", type=int, default=5, help="seconds")
    parser.add_argument("--revert", action="store_true", help="set --previous-ttl again")
    parser.add_argument("--previous-ttl", type=int, default=900, help="seconds; 0: without end")
    given = parser.parse_args(arguments)
    if not 1 <= given.ttl <= TTL_MAX:
        parser.error(f"--ttl must be between 1 and {TTL_MAX}")
    if not 0 <= given.previous_ttl <= TTL_MAX:
        parser.error(f"--previous-ttl must be between 0 and {TTL_MAX}")
    return given


def main() -> int:
    """Exit 0 where the table has the TTL that was asked for."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.ttl_oversell.cassandra_ttl import change_ttl

        wanted = given.previous_ttl if given.revert else given.ttl
        found |= {"keyspace": given.keyspace, "table": given.table}
        before = change_ttl(load_stack(), given.keyspace, given.table, wanted, spare_endless=not given.revert)
        found |= {"previousTtl": before, "ttl": wanted}
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
