"""Bring into the lake what changed while the capture could not see it, and have the connector go on from there."""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture import gap
from lakeproof.lake.capture.difference import in_words
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfConnector) -> str:
    """Nobody types it all: what differs is written into the topic."""
    there = f"{stack.url('connect')}/connectors/{arguments.connector}"
    return (
        f"curl -X PUT {there}/stop, and once main shows all that was captured, what the lake lacks of the database at"
        " one instant, written into the topic as one transaction, together with the connector's place; then"
        f" curl -X PUT {there}/resume"
    )


def run(stack: Stack, arguments: OfConnector) -> str:
    """Bridge it; gives how many rows of which table the lake lacked. Raises: as gap.bridge."""
    found = gap.bridge(stack, arguments.connector)
    return f"{in_words(found)}; connector {arguments.connector} goes on from there"


MITIGATION = Mitigation(
    "bridge_capture_gap",
    "bring what the capture missed into the lake as one transaction, and go on from there",
    typed,
    run,
    OfConnector,
)
