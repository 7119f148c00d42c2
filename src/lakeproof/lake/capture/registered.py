"""The configuration that a connector was registered with last, and how its live configuration differs from that.

So a change that somebody made by Kafka Connect's REST API is told from a file that is newer, or rendered for other
ports. With a table taken out of its list, operations skipped or columns left out, the connector runs on, its delay
stays small, and the lake lacks rows that nothing brings later.
"""

import json
import re
from collections.abc import Mapping

from lakeproof.lake.capture.connector import Connector, render
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack

TABLES_KEY = "table.include.list"
# Kafka Connect's own key beside a connector's configuration.
NAME = "name"
# Free keys: how fast, in what portions and under which id a connector reads, how often it tries, and what it says of
# itself. None of them changes what it delivers, so a person may set them (take_free_server_id does).
_FREE = re.compile(
    r"database\.(server\.id|ssl\..+|sslmode)|poll\.interval\.ms|max\.(batch|queue)\.size(\.in\.bytes)?"
    r"|(incremental\.snapshot\.chunk|snapshot\.fetch|query\.fetch)\.size|snapshot\.(delay\.ms|max\.threads)"
    r"|connect\.(timeout\.ms|max\.attempts|keep\.alive(\.interval\.ms)?)|slot\.(retry\.delay\.ms|max\.retries)"
    r"|status\.update\.interval\.ms|xmin\.fetch\.interval\.ms|signal\.poll\.interval\.ms|heartbeat\.interval\.ms"
    r"|errors\.(log|retry)\..+|errors\.max\.retries|retriable\.restart\.connector\.wait\.ms|config\.action\.reload"
    r"|custom\.metric\.tags|advanced\.metrics\.enable"
    r"|producer\.override\.(linger\.ms|batch\.size|buffer\.memory|compression\.type|max\.request\.size)"
)


def remember(stack: Stack, connector: Connector, config: Mapping[str, str]) -> None:
    """Note the configuration that the connector was registered with. Raises: HeldByAnother."""
    provisioned.remember(stack, "connect", _configuration(connector), json.dumps(config, sort_keys=True))


def is_known(stack: Stack, connector: Connector) -> bool:
    """Whether the registered configuration is noted. Raises: TerminalError for a broken file."""
    return bool(provisioned.recall(stack, "connect", _configuration(connector)))


def as_registered(stack: Stack, connector: Connector) -> dict[str, str]:
    """The configuration registered last; the one of the connector's file where none was noted on this machine.

    Raises: TerminalError for a broken file.
    """
    noted = provisioned.recall(stack, "connect", _configuration(connector))
    return dict(json.loads(noted)) if noted else render(stack, connector)


def tables(config: Mapping[str, str]) -> list[str]:
    """The tables that a configuration captures, as Connector.sources."""
    return [table.strip() for table in config.get(TABLES_KEY, "").split(",") if table.strip()]


def changed_keys(live: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The keys, sorted, whose live value is not as wanted and changes what is delivered; free keys do not count."""
    keys = (live.keys() | wanted.keys()) - {NAME, TABLES_KEY}
    changed = {key for key in keys if live.get(key) != wanted.get(key) and not _FREE.fullmatch(key)}
    if set(tables(live)) != set(tables(wanted)):
        changed.add(TABLES_KEY)
    return sorted(changed)


def without_name(live: Mapping[str, str]) -> dict[str, str]:
    """The live configuration as it was sent, without the key that Kafka Connect adds."""
    return {key: value for key, value in live.items() if key != NAME}


def with_free_keys_of(live: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted configuration, with the live values of the free keys."""
    return dict(wanted) | {key: value for key, value in live.items() if _FREE.fullmatch(key)}


def _configuration(connector: Connector) -> str:
    return f"configuration of {connector.name}"
