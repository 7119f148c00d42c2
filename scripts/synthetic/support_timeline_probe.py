"""Use the support service as a user does, and say how long it took and what is missing. Prints JSON.

It opens a case, reads its timeline, refreshes it, lists attachments, and closes the case. The output can be attached
to an incident, also where the service is away or fails: then it tells how far the probe came.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

SAMPLES_MAX = 1000
SERVICE = "support-service"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--base-url", default=f"http://{SERVICE}:8005", help="a component's name: the stack's own")
    parser.add_argument("--order-id", type=int, default=1, help="the order whose timeline is read")
    parser.add_argument("--samples", type=int, default=5, help="how often it is read")
    given = parser.parse_args(arguments)
    if not 1 <= given.samples <= SAMPLES_MAX:
        parser.error(f"--samples must be between 1 and {SAMPLES_MAX}")
    if not 1 <= given.order_id < 2**63:
        parser.error("--order-id must be an order's number")
    return given


def main() -> int:
    """Exit 0 where all is as it should be, else 1."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.services.support.synthetic import Probe

        url = load_stack().at(SERVICE, given.base_url).url(SERVICE)
        Probe(url, given.order_id, given.samples).run(found)
        return 0 if found["ok"] else 1

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
