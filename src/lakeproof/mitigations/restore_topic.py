"""Give topics back the settings by which they keep and take their records, and make anew what is gone.

What a short retention or a compaction has already removed it does not bring, nor what a topic held that was deleted.
Where a capture's topic was made anew, whoever made it, `diagnose` names that until bridge_topic_gap has compared the
lake with the database; where it is made here, the lake's job is ended before. Of other topics the step says what is
missing, and nothing tells of it any more.
"""

from shlex import join
from typing import Annotated

from pydantic import AfterValidator

from lakeproof.errors import InvalidInput, LakeproofError, NotReady
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.commands import restart_failed
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.result_topics import result_topics
from lakeproof.lake.sources.source import SOURCES
from lakeproof.lake.topic_settings import ANEW, MISSING, changes, needs, restore
from lakeproof.lake.topics import find_topic, of_capture, others
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic

OTHERS = "others"
ASK_SECONDS = 10.0


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
    return (
        f"of each that is otherwise, without the keys that are longer or larger: {'; '.join(commands)};"
        " of one that is gone kafka-topics.sh --create with the same, and of a capture's the lake's job ended before"
    )


def run(stack: Stack, arguments: RestoreTopic) -> str:
    """Set right what is otherwise, and start again what has failed of the connector that writes there.

    Raises: NotReady with all that did not go, after everything was tried, and with what was done.
    """
    told, failed, wrong = [], [], set()
    for topic in arguments.topics:
        try:
            told += _restored(stack, topic)
        except LakeproofError as error:
            failed.append(f"{topic.name}: {error.message}")
            wrong.add(topic.name)
    for source in SOURCES:
        # A task that starts without its topic makes one, in which the lake's job would go on.
        if source.topic not in wrong and any(topic in of_capture(source) for topic in arguments.topics):
            try:
                restart_failed(stack, source.connector)
            except LakeproofError as error:
                failed.append(error.message)
    done = "; ".join(told) or "nothing was otherwise"
    if failed:
        raise NotReady(f"{'; '.join(failed)} ({done})", where="kafka", next_action="lakeproof diagnose")
    return done


def _restored(stack: Stack, topic: Topic) -> list[str]:
    """What was done, in words. Raises: as topic_settings.restore and topic_gap.make_anew."""
    client = admin(stack)
    source = next((source for source in SOURCES if source.topic == topic.name), None)
    found = changes(stack, client, [topic], ASK_SECONDS).get(topic.name, [])
    if source is not None and found == [MISSING] and stack.settings.mode != "external":
        topic_gap.make_anew(stack, source)
        return [f"{topic.name} was made anew; what it held comes by bridge_topic_gap"]
    restore(stack, client, topic)
    if source is not None and ANEW in found:
        found.remove(ANEW)
        bridge = [f"{topic.name} was made anew before; what it lacks comes by bridge_topic_gap"]
        return [f"set right of {topic.name}: {', '.join(found)}", *bridge] if found else bridge
    told = f"set right of {topic.name}: {', '.join(found)}"
    if set(found).isdisjoint((MISSING, ANEW)):
        return [told] if found else []
    # Nothing compares it with anything, so a person has to know.
    topic_ids.note(stack, topic, topic_ids.ids(client, [topic], ASK_SECONDS).get(topic.name, ""))
    by = "lakeproof projector rebuild --from-database" if topic in result_topics() else "nothing in Lakeproof"
    return [f"{told} (what it held is not brought back; what brings it: {by})"]


MITIGATION = Mitigation(
    "restore_topic", "give topics back the settings by which they keep and take records", typed, run, RestoreTopic
)
