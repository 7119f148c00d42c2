"""The mail sink in a benchmark's own folder: `python -m lakeproof.bench.mail_sink_server SMTP_PORT:FOLDER PORT`."""

import sys
from pathlib import Path

import uvicorn

from lakeproof.services.traces import log_as_json
from lakeproof.shop.mail_sink.app import Place, create_app
from lakeproof.stack.stack import load_stack


def main() -> None:
    """Serve until SIGTERM as the real one does."""
    smtp_port, _, folder = sys.argv[1].partition(":")
    log_as_json("INFO")
    app = create_app(load_stack().settings.shop, Place("127.0.0.1", int(smtp_port), Path(folder)))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_config=None, access_log=False)


if __name__ == "__main__":
    main()
