"""Get the lake's job past a gap in its topic: what the topic held, and the lake lacks, comes from the database."""

from lakeproof.arguments import OfConnector
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed, new_slot, reading_anew, rewriting, topic_gap
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.difference import in_words
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.lake.topic_settings import ANEW
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes import connect, flink, kafka
from lakeproof.stack.stack import Stack

ASK_SECONDS = 10.0


def typed(stack: Stack, arguments: OfConnector) -> str:
    """Nobody types all of it: what the lake lacks is written into the topic."""
    there = f"{stack.url('connect')}/connectors/{arguments.connector}"
    connector = find_connector(arguments.connector)
    job = find_source(connector.database).job
    passed_over = (
        f"curl -X PUT {there}/stop, and {there}/config as it was registered; {job} to the end of"
        f" {connector.topic}, of which it takes nothing"
    )
    if not _is_compared(connector):
        anew = "; ".join(new_slot.steps(connector))
        return f"{passed_over}; {job} as ever; {anew}; once all rows are read, what is there twice taken out"
    return (
        f"{passed_over}; what the lake lacks of the database at one instant, written"
        f" into that topic as one transaction, together with the connector's place; {job} as ever; then curl -X PUT"
        f" {there}/resume"
    )


def run(stack: Stack, arguments: OfConnector) -> str:
    """Bridge the gap; gives how many rows of which table the lake lacked. Raises: as topic_gap.bridge or
    reading_anew.read_anew; InvalidInput where the job reads its topic without trouble, and nothing of
    the capture was changed.
    """
    name = arguments.connector
    connector = find_connector(name)
    source = find_source(connector.database)
    _require_gap(stack, connector, source)
    if not _is_compared(connector):
        twice = rewriting.in_counts(reading_anew.read_anew(stack, name))
        return f"all rows of {source.name} were read anew; second rows taken out: {twice}; what was deleted stays"
    found = topic_gap.bridge(stack, name)
    told = f"{in_words(found)}; {source.job} and connector {name} go on from there"
    if found.twice:
        told += f"; second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, source))}"
    return told


def _require_gap(stack: Stack, connector: Connector, source: Source) -> None:
    """Raises: InvalidInput where nothing tells that the lake lacks something of the topic, or of the database."""
    seen = flink.topic_gap(stack, ASK_SECONDS, source)
    if seen not in (None, flink.NO_EXCEPTION):
        return
    if missed.is_noted(stack, source, missed.BY_LOG) or connect.changed(stack, ASK_SECONDS, source):
        return
    if f"{source.topic}: {ANEW}" in kafka.changed_settings(stack, ASK_SECONDS, source):
        return
    if seen is None and not _is_compared(connector):
        raise InvalidInput(
            "its job is not there, so nothing tells of a gap",
            where=connector.name,
            next_action=f"lakeproof mitigate INCIDENT --action resubmit_job --arg database={source.name}",
        )
    if seen == flink.NO_EXCEPTION:
        bridged = (
            "; where the lake lacks rows: lakeproof mitigate INCIDENT --action bridge_capture_gap"
            f" --arg connector={connector.name}"
        )
        raise InvalidInput(
            f"{source.job} did not stop at a gap in {source.topic} in the last minute",
            where=connector.name,
            next_action=f"lakeproof diagnose{bridged if _is_compared(connector) else ''}",
        )


def _is_compared(connector: Connector) -> bool:
    """True where the difference can be written as one transaction; else all rows are read anew."""
    return connector.engine == "mysql"


MITIGATION = Mitigation(
    "bridge_topic_gap",
    "have the job pass over what it cannot read, and bring that into the lake from the database",
    typed,
    run,
    OfConnector,
)
