"""Stop Redis, send notifications, see that all pass and that the limiter's errors are counted. Prints JSON.

Redis is stopped only where it is this stack's own. For somebody else's, stop it there while this runs.
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
    parser.add_argument("--count", type=int, default=10, help="notifications to send meanwhile")
    given = parser.parse_args(arguments)
    if not 1 <= given.count <= COUNT_MAX:
        parser.error(f"--count must be between 1 and {COUNT_MAX}")
    return given


def main() -> int:
    """Exit 0 where all were sent, errors were counted and ended; 1 where not; 3 where Redis was not ours to stop."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.errors import CouldNotLook, TerminalError
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.scenarios.notification_failure.rehearsal import ERRORS, redis_outage
        from lakeproof_shop.services.notification.client import NotificationClient

        stack = load_stack().at(SERVICE, given.base_url)
        with NotificationClient(stack.url(SERVICE)) as client:
            redis_outage(stack, client, given.count, found)
        counted = found["metrics"][ERRORS]["delta"]
        if not counted and not found["redisStopped"]:
            what = "this Redis is not ours to stop, and the service met no error of it meanwhile"
            raise CouldNotLook(what, where=SERVICE, next_action="stop it where it runs, then try again")
        if found["sent"] != given.count or not found["errorsEndedAfterwards"]:
            ended = ", and they did not end" if found["errorsEndedAfterwards"] is False else ""
            what = f"{found['sent']} of {given.count} were sent; {ERRORS} rose by {counted:g}{ended}"
            raise TerminalError(what, where=SERVICE)
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
