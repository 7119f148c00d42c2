"""Bring into the lake what changed while the capture could not see it, and have the connector go on from there."""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture import gap, rewriting
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import in_words
from lakeproof.lake.sources.source import find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfConnector) -> str:
    """Nobody types all of it: what the lake lacks is written into the topic."""
    there = f"{stack.url('connect')}/connectors/{arguments.connector}"
    return (
        f"curl -X PUT {there}/stop, and once main shows all that was captured, what the lake lacks of the database at"
        " one instant, written into the topic as one transaction, together with the connector's place; then"
        f" curl -X PUT {there}/resume"
    )


def run(stack: Stack, arguments: OfConnector) -> str:
    """Bridge the gap, and take out the rows that came twice; gives the rows by table. Raises: as gap.bridge and
    rewriting.remove_second_rows.
    """
    found = gap.bridge(stack, arguments.connector)
    told = f"{in_words(found)}; connector {arguments.connector} goes on from there"
    if found.twice:
        source = find_source(find_connector(arguments.connector).database)
        told += f"; second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, source))}"
    return told


MITIGATION = Mitigation(
    "bridge_capture_gap",
    "bring what the capture missed into the lake as one transaction, and go on from there",
    typed,
    run,
    OfConnector,
)
