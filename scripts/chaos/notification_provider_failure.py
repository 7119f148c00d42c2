"""Make notifications and fail each of them, so that the failure rate of the notification service rises. Prints JSON.

Works against any notification service by its URL alone. Nobody is written to: the notifications are never sent.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

COUNT_MAX = 10_000
SERVICE = "notification-service"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--base-url", default=f"http://{SERVICE}:8006", help="a component's name: the stack's own")
    parser.add_argument("--count", type=int, default=10, help="notifications to fail")
    given = parser.parse_args(arguments)
    if not 1 <= given.count <= COUNT_MAX:
        parser.error(f"--count must be between 1 and {COUNT_MAX}")
    return given


def main() -> int:
    """Exit 0 where all of them failed and the metric counted them, else 1; 3 where there are no metrics."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.errors import TerminalError
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.notification_failure.rehearsal import FAILURES, fail_providers
        from lakeproof_shop.services.notification.client import NotificationClient

        with NotificationClient(load_stack().at(SERVICE, given.base_url).url(SERVICE)) as client:
            fail_providers(client, given.count, found)
        failed, counted = found["failed"], found["metrics"][FAILURES]["delta"]
        if failed != given.count or counted < given.count:
            what = f"{failed} of {given.count} failed, and {FAILURES} rose by {counted:g}"
            raise TerminalError(what, where=SERVICE)
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
