"""What a connector's live configuration has otherwise than its file, and giving it the file's again.

Somebody has changed it by Kafka Connect's REST API, or the file is newer than what was registered last. A table taken
out of its list, operations that are skipped, columns left out: the connector runs on, its delay stays small, and the
lake lacks rows that nothing brings later.
"""

import re
from collections.abc import Mapping

from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import Connector, render
from lakeproof.lake.capture.new_tables import require_readers
from lakeproof.lake.capture.registration import live_config
from lakeproof.stack.stack import Stack

# Kafka Connect's own key beside a connector's configuration.
NAME = "name"
# Keys that say how fast, in what portions and under which id a connector reads. What it delivers is the same, so a
# person may have others here than the file (take_free_server_id does so).
_FREE = re.compile(
    r"database\.server\.id|poll\.interval\.ms|max\.(batch|queue)\.size(\.in\.bytes)?|(incremental\.)?snapshot\."
    r"(fetch|chunk)\.size|producer\.override\.(linger\.ms|batch\.size|buffer\.memory|compression\.type)"
)


def changed_keys(live: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The keys, sorted, that decide what is delivered and are not as wanted; free ones are passed over."""
    keys = (live.keys() | wanted.keys()) - {NAME}
    return sorted(key for key in keys if live.get(key) != wanted.get(key) and not _FREE.fullmatch(key))


def restore(stack: Stack, connector: Connector) -> None:
    """Give a connector the configuration of its file, but for free keys; one that is stopped stays so.

    Nothing is sent where nothing differs, or where Connect has no such connector. What it did not deliver meanwhile
    does not come by this.
    Raises: InvalidInput for a table, new in its file, that the lake's job does not read yet; NotReady; TerminalError
    with what Connect refused; FlinkUnreachable.
    """
    live, wanted = live_config(stack, connector.name), render(stack, connector)
    if live is None or not changed_keys(live, wanted):
        return
    require_readers(stack, connector.name)
    kept = {key: value for key, value in live.items() if _FREE.fullmatch(key)}
    send(stack, "PUT", f"/connectors/{connector.name}/config", body=wanted | kept)
