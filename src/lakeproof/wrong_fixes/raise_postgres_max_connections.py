"""A wrong fix: let PostgreSQL have more sessions. It takes that by a restart alone, which turns shoppers away, and
the leak takes these sessions too.
"""

from collections.abc import Sequence

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.processes.ours import our_processes
from lakeproof.stack.database_sessions import administrator
from lakeproof.stack.engines.postgres_config import MAX_CONNECTIONS, NAME
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0


class RaisePostgresMaxConnections(Arguments):
    """`most`: the new max_connections."""

    most: int = Field(2 * MAX_CONNECTIONS, ge=10, le=800)


def typed(stack: Stack, arguments: RaisePostgresMaxConnections) -> str:
    """The statement, and the restart."""
    return f"{_raising(arguments.most)}; -- then: lakeproof stop {NAME}; lakeproof up {NAME}"


def _raising(most: int) -> str:
    return f"ALTER SYSTEM SET max_connections = {most:d}"


def stops(stack: Stack) -> Sequence[str]:
    """PostgreSQL is restarted."""
    return [NAME]


def run(stack: Stack, arguments: RaisePostgresMaxConnections) -> str:
    """Set max_connections, restart PostgreSQL, return once it is healthy. Raises: CouldNotLook, LakeproofError."""
    client = our_processes(stack, f"restart {NAME}")
    with administrator(stack, "postgres", SECONDS) as ask:
        ask(_raising(arguments.most))
    client.restart(NAME)
    return f"max_connections is {arguments.most}, {NAME} was restarted"


def undo(stack: Stack, arguments: RaisePostgresMaxConnections) -> None:
    """Reset max_connections, and restart PostgreSQL where another value than the configured one is in force."""
    with administrator(stack, "postgres", SECONDS) as ask:
        ask("ALTER SYSTEM RESET max_connections")
        has_more = int(ask("SHOW max_connections")[0][0]) != MAX_CONNECTIONS
    if has_more:
        our_processes(stack, f"restart {NAME}").restart(NAME)


WRONG_STEP = WrongStep(
    "raise_postgres_max_connections",
    "let PostgreSQL have more sessions (mends nothing)",
    typed,
    run,
    RaisePostgresMaxConnections,
    undo,
    stops,
)
