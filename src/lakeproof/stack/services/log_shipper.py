"""log-shipper: takes every component's log to the log store (observability/logs/app.py)."""

import sys
from pathlib import Path

from lakeproof.stack.component import STEPS_BACK, Command, Component, Scrape
from lakeproof.stack.engines import victorialogs
from lakeproof.stack.python_module import answers_itself
from lakeproof.stack.stack import Stack

NAME = "log-shipper"


def places(stack: Stack) -> Path:
    """The file in which the shipper keeps up to where each log is on the store's disk."""
    return stack.data_dir(NAME) / "places.json"


def command(stack: Stack) -> Command:
    """Everything it needs stands in its command line: reading the settings would double its memory."""
    return Command(
        (
            sys.executable,
            "-m",
            "lakeproof.observability.logs.app",
            f"--logs={stack.log_path(NAME).parent}",
            f"--places={places(stack)}",
            f"--url={stack.url(victorialogs.NAME)}",
            f"--store={victorialogs.server(stack)}",
            f"--listen={stack.settings.host}:{stack.port(NAME)}",
        ),
        env={"LOG_STORE_PASSWORD": stack.secret(victorialogs.NAME)},
    )


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=command,
        ready=answers_itself(NAME, "It answers; that the log store is down is the store's trouble."),
        uses=(victorialogs.NAME,),
        scrapes=(Scrape("http", seconds=5.0),),
        start_seconds=30.0,
        stop_seconds=8.0,
        in_plain_up=False,
        artifact=victorialogs.NAME,
        summary="brings the logs to the log store",
        nice=STEPS_BACK,  # catching up must not slow down the components that write the logs
        one_because="two would push every entry twice",
    ),
)
