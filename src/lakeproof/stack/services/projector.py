"""projector: result topics of the lake's job → the projections that services read in Cassandra (lake/projector).

Ready means that Cassandra and Kafka answer it. What comes in is written by the lake's job, which `up` starts.
"""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack

NAME = "projector"


def command(_: Stack) -> Command:
    """Its settings come to it as LAKEPROOF_* from whoever starts it; its password from the stack's secrets."""
    return Command((sys.executable, "-m", "lakeproof.lake.projector.app"))


def ready(stack: Stack, timeout: float) -> None:
    """GET /health. Raises: NotReady with what it says."""
    loopback.require_ok(f"{stack.url(NAME)}/health", NAME, timeout)


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS[NAME],
        # It may be started while the other nodes are still joining, one after another.
        needs=("cassandra-seed",),
        uses=("cassandra-node2", "cassandra-node3", "kafka"),
        scrapes=(Scrape("http"),),
        start_seconds=240.0,
        stop_seconds=12.0,
        in_plain_up=False,
        summary="result topics into the projections that services read",
    ),
)
