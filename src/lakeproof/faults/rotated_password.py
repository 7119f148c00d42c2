"""The capture's password is changed in the database only, and its connections end.

Debezium alone would stay RUNNING and retry for a minute and more; the restart of all tasks makes the failure show at
once (facts/capture.md, 7).
"""

import secrets

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault
from lakeproof.lake.capture.commands import restart
from lakeproof.lake.sources.source import engine_of, source_of
from lakeproof.stack.stack import Stack

ASK_SECONDS = 5.0


class RotatedPassword(Arguments):
    """`user`: the database account. `restart`: also restart the connector's task, so that it fails at once."""

    user: str = "cdc"
    connector: str = "orders"
    restart: bool = True


def inject(stack: Stack, arguments: RotatedPassword) -> None:
    """Change the password to one that nobody knows."""
    engine = engine_of(source_of(arguments.connector).engine)
    engine.set_password(stack, arguments.user, secrets.token_hex(16))
    engine.end_connections(stack, arguments.user)
    if arguments.restart:
        restart(stack, arguments.connector, only_failed=False)


def remove(stack: Stack, arguments: RotatedPassword) -> None:
    """Set the stack's own password again and restart what failed.

    A task that was restarted with the wrong password calls itself RUNNING until its login fails, which may be after
    this: unless somebody had mended the password before, the task is restarted whatever it says.
    """
    engine = engine_of(source_of(arguments.connector).engine)
    mended_before = engine.accepts(stack, arguments.user, ASK_SECONDS)
    engine.set_password(stack, arguments.user, stack.secret(engine.secret(arguments.user)))
    restart(stack, arguments.connector, only_failed=mended_before)


FAULT = Fault(
    "rotated_password", "change the capture's password in the database only", inject, remove, RotatedPassword
)
