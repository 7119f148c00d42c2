"""The incident desk: learns of an incident from Alertmanager's webhook or from a person, and keeps it."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """The module that `lakeproof serve` runs too; its settings come through the environment."""
    return Command((sys.executable, "-m", "lakeproof.console.app"))


def ready(stack: Stack, timeout: float) -> None:
    """Its database answers."""
    loopback.require_ok(f"{stack.url('desk')}/health", "desk", timeout)


COMPONENTS = (
    Component(
        name="desk",
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS["desk"],
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="incidents: timeline, owner, RCA",
    ),
)
