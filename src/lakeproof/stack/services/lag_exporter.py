"""lag-exporter: writes the heartbeats and measures the delay of change capture (observability/lag_exporter.py)."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """Its passwords come from the stack's secrets, never from argv."""
    return Command((sys.executable, "-m", "lakeproof.observability.lag_exporter", "lag-exporter"))


def ready(stack: Stack, timeout: float) -> None:
    """It tells how its dependencies are; that one of them is down is their trouble, not its own."""
    loopback.require_itself(f"{stack.url('lag-exporter')}/health", "lag-exporter", timeout)


COMPONENTS = (
    Component(
        name="lag-exporter",
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS["lag-exporter"],
        provision_needs=("mysql", "kafka", "connect"),
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        stop_seconds=6.0,
        summary="heartbeats, and the delay of change capture",
    ),
)
