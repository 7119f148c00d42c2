"""The capture's account loses a privilege; its connections end, so that the loss counts at once."""

from typing import Literal

from lakeproof.arguments import OfAccount, OfConnector
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack


class RevokedGrant(OfConnector, OfAccount):
    """`privilege`: a global one, as SHOW GRANTS spells it."""

    privilege: Literal["REPLICATION SLAVE", "BINLOG MONITOR", "SELECT", "RELOAD"] = "REPLICATION SLAVE"


def inject(stack: Stack, arguments: RevokedGrant) -> None:
    """Revoke the privilege, end the account's connections, restart the connector's task."""
    mariadb.revoke(stack, arguments.user, arguments.privilege)
    mariadb.end_connections(stack, arguments.user)
    restart(stack, arguments.connector, only_failed=False)


def remove(stack: Stack, arguments: RevokedGrant) -> None:
    """Grant everything that the account is meant to have, and restart the task: it may fail only a moment later."""
    mariadb.grant(stack, arguments.user)
    restart(stack, arguments.connector, only_failed=False)


def sign(stack: Stack, arguments: RevokedGrant) -> Sign:
    """The database's own list of the account's privileges lacks the privilege."""
    held = mariadb.holds(stack, arguments.user, arguments.privilege)
    return Sign(not held, f"{arguments.user} {'still has' if held else 'lacks'} {arguments.privilege}")


FAULT = Fault("revoked_grant", "take a privilege from the capture's account", inject, remove, sign, RevokedGrant)
