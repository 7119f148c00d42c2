"""What a connector's live configuration has otherwise than its file, and giving it the file's again.

Somebody has changed it by Kafka Connect's REST API, or the file is newer than what was registered last. A table taken
out of its list, operations that are skipped, columns left out: the connector runs on, its delay stays small, and the
lake lacks rows that nothing brings later.
"""

import re
from collections.abc import Mapping

from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import Connector, render
from lakeproof.lake.capture.registration import ASK_SECONDS, REGISTER_SECONDS, TABLES_KEY, live_config
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.stack.stack import Stack

# Kafka Connect's own key beside a connector's configuration.
NAME = "name"
# Keys that say how fast, in what portions and under which id a connector reads, how often it tries, and what it says
# of itself. What it delivers is the same, so a person may have others here than the file (take_free_server_id does).
_FREE = re.compile(
    r"database\.(server\.id|ssl\..+|sslmode)|poll\.interval\.ms|max\.(batch|queue)\.size(\.in\.bytes)?"
    r"|(incremental\.snapshot\.chunk|snapshot\.fetch|query\.fetch)\.size|snapshot\.(delay\.ms|max\.threads)"
    r"|connect\.(timeout\.ms|max\.attempts|keep\.alive(\.interval\.ms)?)|slot\.(retry\.delay\.ms|max\.retries)"
    r"|status\.update\.interval\.ms|xmin\.fetch\.interval\.ms|signal\.poll\.interval\.ms|heartbeat\.interval\.ms"
    r"|errors\.(log|retry)\..+|errors\.max\.retries|retriable\.restart\.connector\.wait\.ms|config\.action\.reload"
    r"|custom\.metric\.tags|advanced\.metrics\.enable"
    r"|producer\.override\.(linger\.ms|batch\.size|buffer\.memory|compression\.type|max\.request\.size)"
)


def changed_keys(connector: Connector, live: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The keys, sorted, that decide what is delivered and are not as wanted; free ones are passed over.

    A table of the file that the lake's job could not read yet, for want of its SQL file, does not count.
    """
    keys = (live.keys() | wanted.keys()) - {NAME, TABLES_KEY}
    changed = {key for key in keys if live.get(key) != wanted.get(key) and not _FREE.fullmatch(key)}
    if (set(_tables(live)) ^ set(_tables(wanted))) - _unready(connector):
        changed.add(TABLES_KEY)
    return sorted(changed)


def restore(stack: Stack, connector: Connector) -> None:
    """Give a connector the configuration of its file, but for free keys and for tables whose SQL file is missing.

    One that is stopped stays so. Nothing is sent where nothing differs, or where Connect has no such connector. What
    it did not deliver meanwhile does not come by this. Raises: DeadlineExpired; TerminalError with what was refused.
    """
    live, wanted = live_config(stack, connector.name, REGISTER_SECONDS), render(stack, connector)
    if live is None or not changed_keys(connector, live, wanted):
        return
    left_out = _unready(connector) - set(_tables(live))
    tables = ",".join(table for table in _tables(wanted) if table not in left_out)
    kept = {key: value for key, value in live.items() if _FREE.fullmatch(key)}
    send(
        stack,
        "PUT",
        f"/connectors/{connector.name}/config",
        body=wanted | {TABLES_KEY: tables} | kept,
        patience_seconds=REGISTER_SECONDS,
        ask_seconds=ASK_SECONDS,
    )


def _tables(config: Mapping[str, str]) -> list[str]:
    return [table.strip() for table in config.get(TABLES_KEY, "").split(",") if table.strip()]


def _unready(connector: Connector) -> set[str]:
    """The tables of its file that no SQL file reads."""
    return set(connector.sources) - {file.source for file in load_sql_files(connector.database)}
