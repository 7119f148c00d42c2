"""The capture's password is changed in the database only, and its connections end.

Debezium alone would stay RUNNING and retry for a minute and more; the restart of all tasks makes the failure show at
once (seen with Debezium 3.5.0).
"""

import secrets

from lakeproof.arguments import OfAccount, OfConnector
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack


class RotatedPassword(OfConnector, OfAccount):
    """`restart`: also restart the connector's task, so that it fails at once."""

    restart: bool = True


def inject(stack: Stack, arguments: RotatedPassword) -> None:
    """Change the password to one that nobody knows."""
    database = find_source(arguments.connector, by="connector").module
    database.set_password(stack, arguments.user, secrets.token_hex(16))
    database.end_connections(stack, arguments.user)
    if arguments.restart:
        restart(stack, arguments.connector, only_failed=False)


def remove(stack: Stack, arguments: RotatedPassword) -> None:
    """Set the stack's own password again and restart what failed.

    A task that was restarted with the wrong password calls itself RUNNING until its login fails, which may be after
    this call. So the task is restarted whatever it says, unless somebody had mended the password before.
    """
    source = find_source(arguments.connector, by="connector")
    mended_before = source.module.accepts(stack, arguments.user)
    source.module.set_password(stack, arguments.user, stack.secret(source.secret(arguments.user)))
    restart(stack, arguments.connector, only_failed=mended_before)


def sign(stack: Stack, arguments: RotatedPassword) -> Sign:
    """The database turns down the password that the stack has for the account."""
    taken = find_source(arguments.connector, by="connector").module.accepts(stack, arguments.user)
    return Sign(not taken, f"the password of {arguments.user} is {'still accepted' if taken else 'rejected'}")


FAULT = Fault(
    "rotated_password", "change the capture's password in the database only", inject, remove, sign, RotatedPassword
)
