"""Give topics back the settings by which they keep and take their records, and make anew what is gone.

What a short retention or a compaction has already removed it does not bring, nor what a topic held that was deleted.
Where a capture's topic was made anew, whoever made it, `diagnose` names that until bridge_topic_gap has compared the
lake with the database. Of other topics the step says what is missing, and nothing tells of it any more.
"""

from shlex import join
from typing import Annotated

from pydantic import AfterValidator

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.commands import await_none_failed, restart
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources.source import SOURCES
from lakeproof.lake.topic_settings import ANEW, MISSING, needs, note_id, restore
from lakeproof.lake.topics import find_topic, of_capture, others
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic

OTHERS = "others"


def _known(name: str) -> str:
    try:
        return name if name in ("", OTHERS) else find_topic(name).name
    except InvalidInput as error:
        raise ValueError(f"{error.message}: {error.next_action}") from error


class RestoreTopic(OfDatabase):
    """`topic`: one by its name, or `others`: all that are of no capture. Without it: those of the capture of
    `database`.
    """

    topic: Annotated[str, AfterValidator(_known)] = ""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Those that are meant."""
        if self.topic == OTHERS:
            return others()
        return (find_topic(self.topic),) if self.topic else of_capture(self.source)


def typed(stack: Stack, arguments: RestoreTopic) -> str:
    """Kafka's own tool, with every setting that counts; the step itself leaves what is longer or larger."""
    server = stack.address("kafka", "tcp")
    commands = []
    for topic in arguments.topics:
        settings = ",".join(f"{key}={value}" for key, value in needs(topic).items())
        alter = ["--alter", "--topic", topic.name, "--add-config", settings]
        commands.append(join(["kafka-configs.sh", "--bootstrap-server", server, *alter]))
    return f"of each that is otherwise, without the keys that are longer or larger: {'; '.join(commands)}"


def run(stack: Stack, arguments: RestoreTopic) -> str:
    """Set right what is otherwise, and start again what has failed of the connector that writes there.

    Raises: as topic_settings.restore; DeadlineExpired where it fails again.
    """
    told = [_restored(stack, topic) for topic in arguments.topics]
    for source in SOURCES:
        if any(topic in of_capture(source) for topic in arguments.topics):
            restart(stack, source.connector, only_failed=True, absent_is_fine=True)
            await_none_failed(stack, source.connector)
    return "; ".join(filter(None, told)) or "nothing was otherwise"


def _restored(stack: Stack, topic: Topic) -> str:
    client = admin(stack)
    found = restore(stack, client, topic)
    told = f"set right of {topic.name}: {', '.join(found)}" if found else ""
    if topic not in others() or set(found).isdisjoint((MISSING, ANEW)):
        return told
    note_id(stack, client, topic)
    by = "lakeproof projector rebuild --from-database" if topic in result_topics() else "its reader, from its source"
    return f"{told} (what it held is not brought back: {by})"


MITIGATION = Mitigation(
    "restore_topic", "give topics back the settings by which they keep and take records", typed, run, RestoreTopic
)
