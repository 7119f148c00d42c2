"""publisher: moves all tables to a new checkpoint by one Nessie commit (lakeproof.lake.publish)."""

import sys

import httpx

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """Keys are read from the stack's secrets, never from argv."""
    return Command((sys.executable, "-m", "lakeproof.lake.publish"))


def ready(stack: Stack, timeout: float) -> None:
    """Its loop goes round. That Nessie or the store is away shows in /health and in metrics: it waits for them."""
    try:
        answer = loopback.get(f"{stack.url('publisher')}/health", timeout=timeout)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where="publisher") from error
    if answer.status_code != 200:
        raise NotReady(f"answered {answer.status_code}: {answer.text[:200]}", where="publisher")


COMPONENTS = (
    Component(
        name="publisher",
        kind="service",
        command=command,
        ready=ready,
        uses=("nessie", "minio", "flink-jobmanager"),
        ports={"http": 8011},
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="publishes checkpoints to the catalog",
    ),
)
