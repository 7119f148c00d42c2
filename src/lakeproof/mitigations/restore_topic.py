"""Give a topic back the settings by which it keeps and takes its records, and make it anew where it is gone.

What a short retention or a compaction has already removed it does not bring: where the lake's job had not read it,
the job stops, and `diagnose` says so (bridge_topic_gap). A task that failed meanwhile is restarted by another step
(restart_connector).
"""

from shlex import join
from typing import Annotated

from pydantic import AfterValidator

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.lake.topic_settings import find_topic, needs, restore
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC


def _known(name: str) -> str:
    try:
        return find_topic(name).name
    except InvalidInput as error:
        raise ValueError(f"{error.message}: {error.next_action}") from error


class RestoreTopic(Arguments):
    """`topic`: one of change capture, of the shop's events, of results, or of Kafka Connect's own."""

    topic: Annotated[str, AfterValidator(_known)] = CDC_TOPIC


def typed(stack: Stack, arguments: RestoreTopic) -> str:
    """Kafka's own tool, with every setting that counts."""
    settings = ",".join(f"{key}={value}" for key, value in needs(find_topic(arguments.topic)).items())
    server = stack.address("kafka", "tcp")
    return join(
        [
            "kafka-configs.sh",
            "--bootstrap-server",
            server,
            "--alter",
            "--topic",
            arguments.topic,
            "--add-config",
            settings,
        ]
    )


def run(stack: Stack, arguments: RestoreTopic) -> str:
    """Set right what is otherwise. Raises: as topic_settings.restore."""
    found = restore(stack, admin(stack), find_topic(arguments.topic))
    return f"set right of {arguments.topic}: {', '.join(found) or 'nothing'}"


MITIGATION = Mitigation(
    "restore_topic",
    "give a topic back the settings by which it keeps and takes its records",
    typed,
    run,
    RestoreTopic,
)
