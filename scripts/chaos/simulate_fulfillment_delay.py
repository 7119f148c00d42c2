"""Hold labels back in the labels' bucket, or let them go again (--revert). Prints JSON.

The labels lie under chaos/fulfillment-delay/ with metadata `hold-until`; they count as backlog and belong to no
customer. With a ticket it also asks the support service how that ticket's timeline stands.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

COUNT_MAX = 10_000
MINUTES_MAX = 7 * 24 * 60


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--count", type=int, default=25, help="labels to hold back")
    parser.add_argument("--hold-minutes", type=float, default=30.0)
    parser.add_argument("--support-ticket-id", type=int, help="a case of the support service")
    parser.add_argument("--revert", action="store_true", help="delete every label of the rehearsal")
    given = parser.parse_args(arguments)
    if not 1 <= given.count <= COUNT_MAX:
        parser.error(f"--count must be between 1 and {COUNT_MAX}")
    if not 0.1 <= given.hold_minutes <= MINUTES_MAX:
        parser.error(f"--hold-minutes must be between 0.1 and {MINUTES_MAX}")
    if given.support_ticket_id is not None and given.support_ticket_id < 1:
        parser.error("--support-ticket-id must be a case's number")
    return given


def main() -> int:
    """Exit 0 where it was done and the ticket, if one was given, could be read; else 1."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.errors import TransientError
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.fulfillment_delay import rehearsal as delay_rehearsal

        stack = load_stack()
        found |= (
            delay_rehearsal.revert(stack)
            if given.revert
            else delay_rehearsal.hold(stack, given.count, given.hold_minutes)
        )
        if given.support_ticket_id is not None:
            found["supportTicket"] = ticket = delay_rehearsal.ticket(stack, given.support_ticket_id)
            if not ticket["reached"]:
                what = f"ticket {ticket['id']} was not read: {ticket['problem']}"
                raise TransientError(what, where="support-service")
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
