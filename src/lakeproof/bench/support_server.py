"""The support service on a benchmark's own database: `python -m lakeproof.bench.support_server DATABASE PORT`.

It runs as the stack's own service does (one worker, the same settings, pool, log lines and Redis), but without Kafka,
because its events would be taken for the shop's.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import uvicorn

from lakeproof.bench.scratch_postgres import connect_to
from lakeproof.services.bounded_connection import BoundedConnection
from lakeproof.services.traces import log_as_json
from lakeproof.shop.support.app import create_app, surroundings_of
from lakeproof.stack.stack import load_stack

NO_KAFKA = "127.0.0.1:9"


def main() -> None:
    """Serve until SIGTERM."""
    database, port = sys.argv[1], int(sys.argv[2])
    log_as_json("INFO")
    stack = load_stack()
    with tempfile.TemporaryDirectory(prefix="lakeproof-bench-") as folder:
        connect = connect_to(stack, database)
        around = replace(
            surroundings_of(stack),
            connect=connect,
            connect_relay=connect,
            kafka=NO_KAFKA,
            attachment_dir=Path(folder),
        )
        app = create_app(stack.settings.shop, stack.settings.support, around)
        uvicorn.run(
            app, http=BoundedConnection, host="127.0.0.1", port=port, log_config=None, access_log=False, backlog=1024
        )


if __name__ == "__main__":
    main()
