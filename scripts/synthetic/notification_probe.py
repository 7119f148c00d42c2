"""Make and send one notification as a caller would, and see the metrics move. Prints JSON for the incident's file.

Works against any notification service by its URL alone. The message goes to an address of the rehearsals.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

SERVICE = "notification-service"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--base-url", default=f"http://{SERVICE}:8006", help="a component's name: the stack's own")
    return parser.parse_args(arguments)


def main() -> int:
    """Exit 0 where it was sent and the metrics went up, else 1; 3 where there are no metrics to look at."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.services.notification.client import NotificationClient
        from lakeproof_shop.services.notification.synthetic import probe

        with NotificationClient(load_stack().at(SERVICE, given.base_url).url(SERVICE)) as client:
            probe(client, found)
        return 0 if found["ok"] else 1

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
