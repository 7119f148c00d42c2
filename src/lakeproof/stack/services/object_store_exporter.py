"""object-store-exporter: counts objects by bucket and prefix, and the room left, for any S3 store."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def command(stack: Stack) -> Command:
    """Keys are read from the stack's secrets, never from argv."""
    return Command((sys.executable, "-m", "lakeproof.observability.object_store_exporter"))


def ready(stack: Stack, timeout: float) -> None:
    """It answers. Whether the store answers is a metric, not its health."""
    loopback.require_ok(f"{stack.url('object-store-exporter')}/health", "object-store-exporter", timeout)


COMPONENTS = (
    Component(
        name="object-store-exporter",
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS["object-store-exporter"],
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="objects and room of the S3 store",
    ),
)
