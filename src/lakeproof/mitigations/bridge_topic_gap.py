"""Get the lake's job past a gap in its topic: what the topic held, and the lake lacks, comes from the database."""

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import in_words
from lakeproof.lake.job.lost_place import exact_again, passes_over_losses
from lakeproof.lake.job.submission import ensure_submitted
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes import flink
from lakeproof.stack.stack import Stack

ASK_SECONDS = 10.0
# From a job's start to its first failure, or to its first checkpoint.
LOOK_SECONDS = 90.0


def typed(stack: Stack, arguments: OfConnector) -> str:
    """Nobody types it all: what differs is written into the topic."""
    there = f"{stack.url('connect')}/connectors/{arguments.connector}"
    topic = find_connector(arguments.connector).topic
    return (
        f"curl -X PUT {there}/stop; what the lake lacks of the database at one instant, written to the end of {topic}"
        f" as one transaction, together with the connector's place; kafka-delete-records of all of {topic} before it;"
        f" the job goes on from its newest checkpoint with the oldest record; then curl -X PUT {there}/resume"
    )


def run(stack: Stack, arguments: OfConnector) -> str:
    """Bridge it; gives how many rows of which table the lake lacked. Raises: as topic_gap.bridge; InvalidInput where
    the job reads its topic without trouble.
    """
    name = arguments.connector
    source = find_source(find_connector(name).database)
    ensure_submitted(stack, source)
    if _reads_on(stack, source):
        if not passes_over_losses(stack, source):
            raise InvalidInput(
                f"{source.job} reads {source.topic} without trouble",
                where=name,
                next_action="lakeproof diagnose; where the lake lacks rows: lakeproof mitigate --action"
                f" bridge_capture_gap --arg connector={name}",
            )
        exact_again(stack, source)
        send(stack, "PUT", f"/connectors/{name}/resume")
        return f"{source.job} was past the gap since an earlier call was cut off; {name} goes on"
    found = topic_gap.bridge(stack, name)
    return f"{in_words(found)}; {source.job} and connector {name} go on from there"


def _reads_on(stack: Stack, source: Source) -> bool:
    """Has it completed a checkpoint since it failed last, or was started? False once it names a gap."""

    def look() -> bool | None:
        if flink.topic_gap(stack, ASK_SECONDS, source) not in (None, flink.NO_EXCEPTION):
            return False
        history = flink.job_history(stack, ASK_SECONDS, source)
        if history is None or history.completed_ms <= max(history.failed_ms, history.restored_ms, history.began_ms):
            return None
        return True

    return Deadline(LOOK_SECONDS).wait_for(f"{source.job} to fail, or to complete a checkpoint", look, every=0.5)


MITIGATION = Mitigation(
    "bridge_topic_gap",
    "empty the topic that the job cannot get past, and bring what it held into the lake from the database",
    typed,
    run,
    OfConnector,
)
