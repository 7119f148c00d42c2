"""The incident desk: learns of an incident from Alertmanager's webhook or from a person, and keeps it."""

import sys

import httpx

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """The module that `lakeproof serve` runs too; its settings come through the environment."""
    return Command((sys.executable, "-m", "lakeproof.incidents.api"))


def ready(stack: Stack, timeout: float) -> None:
    """Its database answers."""
    try:
        answer = loopback.get(f"{stack.url('desk')}/health", timeout=timeout)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where="desk") from error
    if answer.status_code != 200:
        raise NotReady(f"answered {answer.status_code}: {answer.text[:200]}", where="desk")


COMPONENTS = (
    Component(
        name="desk",
        kind="service",
        command=command,
        ready=ready,
        ports={"http": 8000},
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="incidents: timeline, owner, RCA",
    ),
)
