"""The binlog is purged before the connector has read it, as where it is kept for less long than an outage lasts."""

import time
from typing import Any

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap
from lakeproof.lake.capture.commands import await_state, send
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.binlog_place import THERE, binlog_place
from lakeproof.probes.connect import task_failure
from lakeproof.stack.stack import Stack

SECONDS = 10.0
# The connector stands still for this long, while shoppers buy what it will not find any more.
MISSED_SECONDS = 5.0
PURGE_SECONDS = 30.0
FAIL_SECONDS = 60.0
LOST = "position lost"


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Stop the connector for some seconds, purge every binlog but the newest, and start it again."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/stop")
    await_state(stack, arguments.connector, "STOPPED")
    time.sleep(MISSED_SECONDS)
    purge(stack, arguments)


def purge(stack: Stack, arguments: OfConnector) -> None:
    """Purge every binlog but the newest under a stopped connector, and start it; return once its task has failed."""
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute("FLUSH BINARY LOGS")
        newest = _logs(cursor)[-1]

        def purged() -> bool | None:
            # The server passes over a file that somebody reads, and a reader may stay in the server for a moment.
            cursor.execute("PURGE BINARY LOGS TO %s", (newest,))
            return True if _logs(cursor)[0] == newest else None

        Deadline(PURGE_SECONDS).wait_for("the older binlogs to go", purged, seen=lambda: f"{_logs(cursor)} are there")
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume")
    Deadline(FAIL_SECONDS).wait_for(
        "its task to fail",
        lambda: True if sign(stack, arguments).holds else None,
        seen=lambda: sign(stack, arguments).seen,
        unseen_is_not_yet=True,
    )


def _logs(cursor: Any) -> list[str]:
    """The files of the binlog, oldest first."""
    cursor.execute("SHOW BINARY LOGS")
    return [str(row[0]) for row in cursor.fetchall()]


def remove(stack: Stack, arguments: OfConnector) -> None:
    """Bridge the gap where nobody has: what was purged does not come back.

    The task alone does not tell: the task of a connector that stands still, or was just resumed, has not failed yet.
    Raises: as gap.bridge; CouldNotLook, also where MariaDB does not answer.
    """
    if sign(stack, arguments).holds or binlog_place(stack, SECONDS, OLTP) not in (None, THERE):
        gap.bridge(stack, arguments.connector)
    else:
        send(stack, "PUT", f"/connectors/{arguments.connector}/resume", absent_is_fine=True)


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """What the failed task says of its failure."""
    seen = task_failure(stack, SECONDS, OLTP)
    return Sign(seen == LOST, f"the task of {arguments.connector} says: {seen}")


FAULT = Fault(
    "purged_binlog",
    "purge the binlog before the connector has read it",
    inject,
    remove,
    sign,
    OfConnector,
)
