"""Use the support service as a user does, and say how long it took and what is missing. Prints JSON.

It opens a case, reads its timeline, refreshes it, lists attachments, and closes the case. The output can be attached
to an incident.
"""

import argparse
import sys
from urllib.parse import urlsplit

SAMPLES_MAX = 1000


def main() -> int:
    """Exit 0 where all is as it should be, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base-url", default="http://support-service:8005", help="a component's name means the stack's own"
    )
    parser.add_argument("--order-id", type=int, default=1, help="the order whose timeline is read")
    parser.add_argument("--samples", type=int, default=5, help="how often it is read")
    given = parser.parse_args()
    if not 1 <= given.samples <= SAMPLES_MAX:
        parser.error(f"--samples must be between 1 and {SAMPLES_MAX}")
    if not 1 <= given.order_id < 2**63:
        parser.error("--order-id must be an order's number")

    from lakeproof.cli.output import fail, print_json
    from lakeproof.errors import LakeproofError
    from lakeproof.shop.support.synthetic import Probe
    from lakeproof.stack.stack import load_stack

    try:
        own = urlsplit(given.base_url).hostname == "support-service"
        url = load_stack().url("support-service") if own else given.base_url.rstrip("/")
        outcome = Probe(url, given.order_id, given.samples).run()
    except LakeproofError as error:
        return fail(error)
    print_json(outcome)
    return 0 if outcome["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
