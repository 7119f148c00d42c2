"""The notification service on a benchmark's own database and mail sink.

`python -m lakeproof.bench.notification_server SMTP_PORT:DATABASE PORT`.
"""

import sys

import uvicorn

from lakeproof.bench.scratch_postgres import EVENTS_OF, connect_to
from lakeproof.services import redis_connection
from lakeproof.services.outbox import RELAY_SECONDS
from lakeproof.services.traces import log_as_json
from lakeproof.shop.notification.app import Surroundings, create_app
from lakeproof.stack.stack import load_stack


def main() -> None:
    """Serve until SIGTERM as the real one does, but for others' events, which are for the real one alone."""
    smtp_port, _, database = sys.argv[1].partition(":")
    log_as_json("INFO")
    stack = load_stack()
    around = Surroundings(
        connect_to(stack, database),
        connect_to(stack, database, statement_seconds=RELAY_SECONDS),
        redis_connection.redis_url(stack),
        ("127.0.0.1", int(smtp_port)),
        "http://127.0.0.1:1/webhook",  # no webhook is sent
        stack.address("kafka", "tcp"),
        stack.url("order-service"),
        events_of=EVENTS_OF,
        reads=(),
    )
    app = create_app(stack.settings.shop, stack.settings.notification, around)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_config=None, access_log=False, backlog=1024)


if __name__ == "__main__":
    main()
