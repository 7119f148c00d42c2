"""Which topic it is that bears a name. One that was deleted and made anew has another id, and its offsets begin at 0:
a reader goes on in it where it stood in the old one, and nobody tells it what lay between.

The id of a capture's topic is kept with what belongs to the lake's job, whose place in it is meant: Kafka's own data
may be made anew, too. In mode "external" none is kept.
"""

from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import SOURCES
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import Topic
from lakeproof.written import write_file


def ids(client: AdminClient, topics: Iterable[Topic], seconds: float) -> dict[str, str]:
    """The ids of those that are there, by name. Raises: CouldNotLook."""
    asked = client.describe_topics(TopicCollection([topic.name for topic in topics]), request_timeout=seconds)
    found = {}
    for name, answer in asked.items():
        try:
            found[name] = str(answer.result(timeout=seconds).topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise CouldNotLook(f"no id of {name}: {error.args[0].str()}", where="kafka") from error
        except TimeoutError as error:
            raise CouldNotLook(f"no id of {name} in time", where="kafka") from error
    return found


def noted(stack: Stack, topic: Topic) -> str:
    """The id of the topic that is meant; empty where none was noted. Raises: TerminalError for a broken file."""
    kept = _of_job(stack, topic)
    if kept is None:
        return provisioned.recall(stack, "kafka", _note(topic))
    return kept.read_text(encoding="utf-8") if kept.exists() else ""


def note(stack: Stack, topic: Topic, made: str) -> None:
    """From now on the topic of that id is the one that is meant. Raises: HeldByAnother."""
    kept = _of_job(stack, topic)
    if kept is None:
        provisioned.remember(stack, "kafka", _note(topic), made)
    else:
        write_file(kept, made)


def _of_job(stack: Stack, topic: Topic) -> Path | None:
    source = next((source for source in SOURCES if source.topic == topic.name), None)
    # As job/passing_over.py: in no component's folder.
    return None if source is None else stack.data_dir(source.job) / "topic-id"


def _note(topic: Topic) -> str:
    return f"id of topic {topic.name}"
