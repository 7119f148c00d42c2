"""publisher: moves all tables to a new checkpoint by one Nessie commit, and audits it (proof/publisher.py)."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """Keys are read from the stack's secrets, never from argv."""
    return Command((sys.executable, "-m", "lakeproof.proof.publisher"))


def ready(stack: Stack, timeout: float) -> None:
    """Its loop goes round. Where Nessie or the store is away it waits, and says so in /health and in metrics."""
    loopback.require_ok(f"{stack.url('publisher')}/health", "publisher", timeout)


COMPONENTS = (
    Component(
        name="publisher",
        kind="service",
        command=command,
        ready=ready,
        uses=("nessie", "minio", "flink-jobmanager"),
        ports=USUAL_PORTS["publisher"],
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="publishes checkpoints to the catalog",
        one_because="two publishers would race for the same Nessie branch",
    ),
)
