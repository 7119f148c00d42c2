"""Make notifications and fail each of them, so that the failure rate of the notification service rises. Prints JSON.

Works against any notification service by its URL alone. Nobody is written to: the notifications are never sent.
"""

import argparse
import sys

COUNT_MAX = 10_000


def main() -> int:
    """Exit 0 where all of them failed and the metric counted them, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base-url", default="http://notification-service:8006", help="a component's name means the stack's own"
    )
    parser.add_argument("--count", type=int, default=10, help="notifications to fail")
    given = parser.parse_args()
    if not 1 <= given.count <= COUNT_MAX:
        parser.error(f"--count must be between 1 and {COUNT_MAX}")

    from lakeproof.cli.output import fail, print_json
    from lakeproof.errors import LakeproofError
    from lakeproof.faults.notification_rehearsal import FAILURES, base_url_of, fail_providers
    from lakeproof.shop.notification.client import NotificationClient
    from lakeproof.stack.stack import load_stack

    try:
        with NotificationClient(base_url_of(load_stack(), given.base_url)) as client:
            outcome = fail_providers(client, given.count)
    except LakeproofError as error:
        return fail(error)
    print_json(outcome)
    return 0 if outcome["failed"] == given.count and outcome["metrics"][FAILURES]["delta"] >= given.count else 1


if __name__ == "__main__":
    sys.exit(main())
