"""Another replica follows MariaDB's binlog by the connector's own server id, so the server cuts the connector off.

The account is one that no part of the shop uses; it may read the binlog for the time of the fault. A process of its
own follows the binlog (second_replica.py), since it must outlive the command that makes the fault.
"""

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.registration import live_config, register
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import find_source
from lakeproof.probes.connect import SERVER_ID_TAKEN, task_failure
from lakeproof.processes import detached
from lakeproof.stack.engines.mysql_accounts import REPORT
from lakeproof.stack.stack import Stack

FAIL_SECONDS = 30.0
ASK_SECONDS = 5.0
NAME = "taken_server_id"
PRIVILEGES = ("REPLICATION SLAVE", "BINLOG MONITOR")


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Let the other replica in, and wait until the connector's task has failed for it.

    Raises: DeadlineExpired; InvalidInput, before anything is changed, where Kafka Connect has no such connector, or
    the connector follows no binlog.
    """
    server_id = (live_config(stack, arguments.connector) or {}).get("database.server.id")
    if server_id is None:
        raise InvalidInput(
            "Kafka Connect has no connector of that name with a server id",
            where=arguments.connector,
            next_action="lakeproof diagnose; PostgreSQL's connectors have no server id",
        )
    for privilege in PRIVILEGES:
        mariadb.give(stack, REPORT, privilege)
    detached.start(stack, NAME, "lakeproof.faults.second_replica", REPORT, server_id)
    Deadline(FAIL_SECONDS).wait_for(
        f"the task of {arguments.connector} to be cut off",
        lambda: sign(stack, arguments).holds or None,
        seen=lambda: sign(stack, arguments).seen,
        unseen_is_not_yet=True,
    )


def remove(stack: Stack, arguments: OfConnector) -> None:
    """End the replica, and have the connector run by its own file again."""
    detached.end(stack, NAME)
    for privilege in PRIVILEGES:
        mariadb.revoke(stack, REPORT, privilege)
    register(stack, find_connector(arguments.connector).name)
    restart(stack, arguments.connector, only_failed=False)


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """The replica lives, and the task's own trace names its server id."""
    lives = bool(detached.find(stack, NAME))
    seen = task_failure(stack, ASK_SECONDS, find_source(arguments.connector, by="connector"))
    told = f"the other replica {'runs' if lives else 'does not run'}, the task's failure: {seen}"
    return Sign(lives and seen == SERVER_ID_TAKEN, told)


FAULT = Fault(NAME, "have another replica take the connector's server id", inject, remove, sign, OfConnector)
