"""Stop Redis, send notifications, see that all pass and that the limiter's errors are counted. Prints JSON.

Redis is stopped only where it is this stack's own. For somebody else's, stop it there while this runs.
"""

import argparse
import sys

COUNT_MAX = 10_000


def main() -> int:
    """Exit 0 where all were sent, errors were counted and ended; 1 where not; 3 where Redis was not ours to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base-url", default="http://notification-service:8006", help="a component's name means the stack's own"
    )
    parser.add_argument("--count", type=int, default=10, help="notifications to send meanwhile")
    given = parser.parse_args()
    if not 1 <= given.count <= COUNT_MAX:
        parser.error(f"--count must be between 1 and {COUNT_MAX}")

    from lakeproof.cli.output import fail, print_json
    from lakeproof.errors import LakeproofError
    from lakeproof.faults.notification_rehearsal import ERRORS, base_url_of, redis_outage
    from lakeproof.shop.notification.client import NotificationClient
    from lakeproof.stack.stack import load_stack

    try:
        stack = load_stack()
        with NotificationClient(base_url_of(stack, given.base_url)) as client:
            outcome = redis_outage(stack, client, given.count)
    except LakeproofError as error:
        return fail(error)
    print_json(outcome)
    if not outcome["metrics"][ERRORS]["delta"] and not outcome["redisStopped"]:
        return 3
    return 0 if outcome["sent"] == given.count and outcome["errorsEndedAfterwards"] else 1


if __name__ == "__main__":
    sys.exit(main())
