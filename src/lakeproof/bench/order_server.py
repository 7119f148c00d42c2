"""The order service on a database of a benchmark's own: `python -m lakeproof.bench.order_server DATABASE PORT`."""

import sys

import uvicorn

from lakeproof.bench.scratch_database import connect_to
from lakeproof.services.bounded_connection import BoundedConnection
from lakeproof.services.traces import log_as_json
from lakeproof.shop.order.app import Database, create_app
from lakeproof.stack.stack import load_stack


def main() -> None:
    """Serve until SIGTERM, as the real one: one worker, the same settings, the same pool, the same log lines."""
    database, port = sys.argv[1], int(sys.argv[2])
    log_as_json("INFO")
    stack = load_stack()
    app = create_app(stack.settings.shop, Database(connect_to(stack, database)))
    uvicorn.run(
        app, http=BoundedConnection, host="127.0.0.1", port=port, log_config=None, access_log=False, backlog=1024
    )


if __name__ == "__main__":
    main()
