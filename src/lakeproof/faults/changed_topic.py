"""Somebody changes one setting of a topic, by Kafka's own admin calls.

By the default arguments no record of the capture is small enough for it any more: its task fails, and fails again
after each restart.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources.source import SOURCES
from lakeproof.lake.topic_settings import alter, changed, find_topic, needs, restore
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC

ASK_SECONDS = 5.0


class ChangedTopic(Arguments):
    """`key`: a setting that decides which records `topic` keeps and takes. `value`: what it is changed to."""

    topic: str = CDC_TOPIC
    key: str = Field("max.message.bytes", pattern=r"^[a-z][a-z.]+$")
    value: str = "100"


def inject(stack: Stack, arguments: ChangedTopic) -> None:
    """Change it. Raises: InvalidInput for a key that changes nothing of that; NotReady."""
    known = needs(find_topic(arguments.topic))
    if arguments.key not in known:
        raise InvalidInput(
            "it decides nothing about the records",
            where=f"{arguments.topic}: {arguments.key}",
            next_action=f"one of {', '.join(known)}",
        )
    alter(admin(stack), arguments.topic, {arguments.key: arguments.value})


def remove(stack: Stack, arguments: ChangedTopic) -> None:
    """Set the topic right, and start again what failed of the connector that writes into it. Raises: as `restore`."""
    restore(stack, admin(stack), find_topic(arguments.topic))
    for source in SOURCES:
        if source.topic == arguments.topic:
            restart(stack, source.connector, only_failed=True)


def sign(stack: Stack, arguments: ChangedTopic) -> Sign:
    """What Kafka itself tells of the topic. Raises: CouldNotLook."""
    told = changed(stack, admin(stack), find_topic(arguments.topic), ASK_SECONDS)
    holds = f"{arguments.key}={arguments.value}" in told
    return Sign(holds, f"topic {arguments.topic}: {', '.join(told) or 'as it has to be'}")


FAULT = Fault(
    "changed_topic",
    "change one setting of a topic, by default so that it takes no record of the capture",
    inject,
    remove,
    sign,
    ChangedTopic,
)
