"""The payment service on a benchmark's own database: `python -m lakeproof.bench.payment_server DATABASE PORT`."""

import sys

import uvicorn

from lakeproof.bench.scratch_postgres import EVENTS_OF, connect_to
from lakeproof.services.outbox import RELAY_SECONDS
from lakeproof.services.traces import log_as_json
from lakeproof.shop.payment.app import Surroundings, create_app
from lakeproof.stack.stack import load_stack


def main() -> None:
    """Serve until SIGTERM as the real one does: one worker, its settings, pool, log lines and relay to Kafka."""
    database, port = sys.argv[1], int(sys.argv[2])
    log_as_json("INFO")
    stack = load_stack()
    around = Surroundings(
        connect_to(stack, database),
        connect_to(stack, database, statement_seconds=RELAY_SECONDS),
        stack.address("kafka", "tcp"),
        EVENTS_OF,
    )
    app = create_app(stack.settings.shop, around)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False, backlog=1024)


if __name__ == "__main__":
    main()
