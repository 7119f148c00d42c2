"""Somebody changes one setting of a topic, by Kafka's own admin calls.

With the default arguments no record of the capture is small enough for the topic any more: its task fails, and fails
again after each restart.

Trap: a record that ends a transaction has 78 bytes with its batch. By Kafka 4.3.1's code a broker that cannot write
it ends itself, and again at each start; so nothing smaller than 100 is allowed here (not tried).

The topic's old value is noted first, since its owner may have it keep more than Lakeproof needs.
"""

from pathlib import Path

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources.source import SOURCES
from lakeproof.lake.topic_settings import MISSING, POLICY, alter, is_enough, live_settings, needs
from lakeproof.lake.topics import find_topic, of_capture
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC
from lakeproof.written import read_if_there, write_file

ASK_SECONDS = 5.0
LARGEST_RECORD, SMALLEST = "max.message.bytes", 100


class ChangedTopic(Arguments):
    """`key`: a setting that decides which records `topic` keeps and takes. `value`: its new value."""

    topic: str = CDC_TOPIC
    key: str = Field(LARGEST_RECORD, pattern=r"^[a-z][a-z.]+$")
    value: str = Field(str(SMALLEST), pattern=r"^(-1|0|[1-9][0-9]*|compact|delete)$")


def inject(stack: Stack, arguments: ChangedTopic) -> None:
    """Change the setting.

    Raises: InvalidInput for a key that decides nothing about records, a value that does no harm or too much, a topic
    that is not there, and in mode "external", where nobody would put back the settings of a topic's owner; NotReady.
    """
    topic = find_topic(arguments.topic)
    known, key = needs(topic), arguments.key
    where = f"{topic.name}: {key}={arguments.value}"
    if stack.settings.mode == "external":
        raise InvalidInput(
            "its owner's settings would be lost", where=where, next_action="a stack of Lakeproof's own"
        )
    if key not in known:
        next_action = f"one of {', '.join(known)}"
        raise InvalidInput("it decides nothing about the records", where=where, next_action=next_action)
    if is_enough(key, arguments.value, known[key]):
        raise InvalidInput("by that nothing is lost", where=where, next_action=f"it has to be {known[key]}")
    if (key == POLICY) != arguments.value.isalpha():
        raise InvalidInput("it has no such values", where=where, next_action=f"it has to be {known[key]}")
    if key == LARGEST_RECORD and int(arguments.value) < SMALLEST:
        next_action = f"{SMALLEST} at least"
        raise InvalidInput("a broker that cannot end a transaction ends itself", where=where, next_action=next_action)
    live = live_settings(admin(stack), topic, ASK_SECONDS)
    if live is None:
        raise InvalidInput(MISSING, where=topic.name, next_action="lakeproof diagnose")
    note = _note(stack, arguments)
    # A value that is changed already was noted before, also where a repair has set it since.
    if live[key] != arguments.value and not note.exists():
        write_file(note, live[key])
    alter(admin(stack), topic.name, {key: arguments.value})


def remove(stack: Stack, arguments: ChangedTopic) -> None:
    """Give that key back its old value, or without a note the value that is needed, and restart what has failed of
    the connector that writes there. Other changed settings stay.

    Raises: NotReady; CouldNotLook.
    """
    topic, note = find_topic(arguments.topic), _note(stack, arguments)
    live, needed = live_settings(admin(stack), topic, ASK_SECONDS), needs(topic).get(arguments.key)
    before = read_if_there(note)
    if live and needed and before is None and not is_enough(arguments.key, live[arguments.key], needed):
        before = needed
    if live and before is not None and live[arguments.key] != before:
        alter(admin(stack), topic.name, {arguments.key: before})
    note.unlink(missing_ok=True)
    for source in SOURCES:
        if topic in of_capture(source):
            restart(stack, source.connector, only_failed=True, absent_is_fine=True)


def sign(stack: Stack, arguments: ChangedTopic) -> Sign:
    """The value that Kafka itself has for that key. Raises: CouldNotLook."""
    topic = find_topic(arguments.topic)
    live = live_settings(admin(stack), topic, ASK_SECONDS) or {}
    found = live.get(arguments.key, MISSING)
    return Sign(found == arguments.value, f"{arguments.key} of topic {topic.name} is {found}")


def _note(stack: Stack, arguments: ChangedTopic) -> Path:
    """Keeps the key's old value. In no component's folder: Kafka's own data may be made anew."""
    return stack.data_dir("topic-settings") / f"before-{arguments.topic}-{arguments.key}"


FAULT = Fault(
    "changed_topic",
    "change one setting of a topic, by default so that it takes no record of the capture",
    inject,
    remove,
    sign,
    ChangedTopic,
)
