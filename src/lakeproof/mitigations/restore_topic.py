"""Give topics back the settings by which they keep and take their records, and make anew what is gone.

The step does not bring back records that a short retention, a compaction or a deletion of the topic has removed.
Where a capture's topic was made anew, whoever made it, `diagnose` says so until bridge_topic_gap has compared the
lake with the database. Before this step makes one, it ends the lake's job. Of other topics the step says what is
missing, and after that nothing tells of it any more.
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
    """`topic`: one topic by its name, or `others`: all topics that belong to no capture. Without it: the topics of
    the capture of `database`.
    """

    topic: Annotated[str, AfterValidator(_known)] = ""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that are meant."""
        if self.topic == OTHERS:
            return others()
        return (find_topic(self.topic),) if self.topic else of_capture(self.source)


def typed(stack: Stack, arguments: RestoreTopic) -> str:
    """Kafka's own tool, with every setting that counts; the step itself leaves values that are longer or larger."""
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
    """Set the topics right, then restart what has failed of the connectors that write there.

    Raises: NotReady, after every topic was tried, with all that failed and all that was done.
    """
    told, failed, wrong = [], [], set()
    for topic in arguments.topics:
        try:
            told += _restored(stack, topic)
        except LakeproofError as error:
            failed.append(f"{topic.name}: {error.message}")
            wrong.add(topic.name)
    for source in SOURCES:
        # Not where its topic is still wrong: a task that starts without the topic makes one, and the lake's job would
        # go on in that.
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
    # Nothing compares this topic with another place, so the answer has to tell a person.
    topic_ids.note(stack, topic, topic_ids.ids(client, [topic], ASK_SECONDS).get(topic.name, ""))
    by = "lakeproof projector rebuild --from-database" if topic in result_topics() else "nothing in Lakeproof"
    return [f"{told} (what it held is not brought back; what brings it: {by})"]


MITIGATION = Mitigation(
    "restore_topic", "give topics back the settings by which they keep and take records", typed, run, RestoreTopic
)
