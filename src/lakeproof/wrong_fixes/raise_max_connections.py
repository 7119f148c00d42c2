"""A wrong fix: let MariaDB have more sessions. The leak takes these too, and each costs the server memory."""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.stack.database_sessions import set_most
from lakeproof.stack.engines.mysql import MAX_CONNECTIONS
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0


class RaiseMaxConnections(Arguments):
    """`most`: the new max_connections, until MariaDB is restarted."""

    most: int = Field(2 * MAX_CONNECTIONS, ge=10, le=800)


def typed(stack: Stack, arguments: RaiseMaxConnections) -> str:
    """The statement."""
    return f"SET GLOBAL max_connections = {arguments.most}"


def run(stack: Stack, arguments: RaiseMaxConnections) -> str:
    """Set max_connections."""
    before = set_most(stack, arguments.most, SECONDS)
    return f"max_connections was {before}, is {arguments.most}"


def undo(stack: Stack, arguments: RaiseMaxConnections) -> None:
    """Set max_connections back to the value in MariaDB's configuration."""
    set_most(stack, MAX_CONNECTIONS, SECONDS)


WRONG_STEP = WrongStep(
    "raise_max_connections", "let MariaDB have more sessions (mends nothing)", typed, run, RaiseMaxConnections, undo
)
