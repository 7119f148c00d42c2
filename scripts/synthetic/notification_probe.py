"""Make and send one notification as a caller would, and see the metrics move. Prints JSON for the incident's file.

Works against any notification service by its URL alone. The message goes to an address of the rehearsals.
"""

import argparse
import sys


def main() -> int:
    """Exit 0 where it was sent and the metrics went up, else 1; 3 where there are no metrics to look at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base-url", default="http://notification-service:8006", help="a component's name means the stack's own"
    )
    given = parser.parse_args()

    from lakeproof.cli.output import fail, print_json
    from lakeproof.errors import LakeproofError
    from lakeproof.faults.notification_rehearsal import base_url_of
    from lakeproof.shop.notification.client import NotificationClient
    from lakeproof.shop.notification.synthetic import probe
    from lakeproof.stack.stack import load_stack

    try:
        with NotificationClient(base_url_of(load_stack(), given.base_url)) as client:
            outcome = probe(client)
    except LakeproofError as error:
        return fail(error)
    print_json(outcome)
    return 0 if outcome["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
