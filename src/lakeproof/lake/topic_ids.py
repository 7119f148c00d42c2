"""Kafka's ids of topics, which tell a topic from a later one of the same name.

A topic that was deleted and created again has another id, and offsets that begin at 0. A reader that knows only the
name goes on at its old offset, gets no error, and skips the records below that offset.

The id of a capture's topic is kept in the folder of the lake's job, because the job's offset belongs to the topic
with that id, and because Kafka's own folder may be made anew as well. In mode "external" no id is kept.
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
    """Topic's name → its id, for the topics that exist. Raises: CouldNotLook."""
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
    """The id that was noted for the topic; empty where none was. Raises: TerminalError for a broken file."""
    kept = _of_job(stack, topic)
    if kept is None:
        return provisioned.recall(stack, "kafka", _note(topic))
    return kept.read_text(encoding="utf-8") if kept.exists() else ""


def note(stack: Stack, topic: Topic, made: str) -> None:
    """Note `made` as the topic's right id from now on. Raises: HeldByAnother."""
    kept = _of_job(stack, topic)
    if kept is None:
        provisioned.remember(stack, "kafka", _note(topic), made)
    else:
        write_file(kept, made)


def _of_job(stack: Stack, topic: Topic) -> Path | None:
    source = next((source for source in SOURCES if source.topic == topic.name), None)
    # In no component's folder, for the reason that job/passing_over.py gives.
    return None if source is None else stack.data_dir(source.job) / "topic-id"


def _note(topic: Topic) -> str:
    return f"id of topic {topic.name}"
