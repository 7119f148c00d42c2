"""Steps that look like a repair of connection-saturation, and are none."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.processes.ours import our_processes
from lakeproof.stack.database_sessions import ENGINES, Server, administrator, set_most
from lakeproof.stack.engines.mysql import MAX_CONNECTIONS
from lakeproof.stack.engines.postgres_config import MAX_CONNECTIONS as POSTGRES_MAX_CONNECTIONS
from lakeproof.stack.engines.postgres_config import NAME
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0

ALL: Mapping[Server, str] = {
    "mysql": (
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
        " AND user NOT IN ('system user', 'event_scheduler', %s)"
    ),
    "postgres": (
        "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND usename <> $1"
    ),
}

PLACEHOLDERS: Mapping[Server, str] = {"mysql": "%s", "postgres": "$1"}


def _administrator(stack: Stack, server: Server) -> str:
    user, secret = ENGINES[server].ADMINISTRATOR
    return stack.account(secret, user)


class KillAllSessions(OfServer, WrongStep):
    """End every session of a database (mends nothing)."""

    def typed(self, stack: Stack) -> str:
        """The statement that ends a session, and the query that lists the sessions."""
        server = self.database
        listed = ALL[server].replace(PLACEHOLDERS[server], repr(_administrator(stack, server)))
        return f"{ENGINES[server].ending_statement('id')}; -- for each of {listed}"

    def run(self, stack: Stack) -> str:
        """End the sessions; one that ends by itself meanwhile is fine. Raises: CouldNotLook."""
        server = self.database
        with administrator(stack, server, SECONDS) as ask:
            found = ask(ALL[server], _administrator(stack, server))
            for (session,) in found:
                ask(ENGINES[server].ending_statement(str(int(session))))
        return f"ended {len(found)} sessions"


class RaiseMaxConnections(WrongStep):
    """Let MariaDB have more sessions (mends nothing).

    `most`: the new max_connections, until MariaDB is restarted.
    """

    most: int = Field(2 * MAX_CONNECTIONS, ge=10, le=800)

    def typed(self, stack: Stack) -> str:
        """The statement."""
        return f"SET GLOBAL max_connections = {self.most}"

    def run(self, stack: Stack) -> str:
        """Set max_connections."""
        before = set_most(stack, self.most, SECONDS)
        return f"max_connections was {before}, is {self.most}"

    def undo(self, stack: Stack) -> None:
        """Set max_connections back to the value in MariaDB's configuration."""
        set_most(stack, MAX_CONNECTIONS, SECONDS)


class RaisePostgresMaxConnections(WrongStep):
    """Let PostgreSQL have more sessions (mends nothing).

    A wrong fix: let PostgreSQL have more sessions. It takes that by a restart alone, which turns shoppers away, and
    the leak takes these sessions too.

    `most`: the new max_connections.
    """

    most: int = Field(2 * POSTGRES_MAX_CONNECTIONS, ge=10, le=800)

    def typed(self, stack: Stack) -> str:
        """The statement, and the restart."""
        return f"{_raising(self.most)}; -- then: lakeproof stop {NAME}; lakeproof up {NAME}"

    def stops(self, stack: Stack) -> Sequence[str]:
        """PostgreSQL is restarted."""
        return [NAME]

    def run(self, stack: Stack) -> str:
        """Set max_connections, restart PostgreSQL, return once it is healthy. Raises: CouldNotLook,
        LakeproofError.
        """
        client = our_processes(stack, f"restart {NAME}")
        with administrator(stack, "postgres", SECONDS) as ask:
            ask(_raising(self.most))
        client.restart(NAME)
        return f"max_connections is {self.most}, {NAME} was restarted"

    def undo(self, stack: Stack) -> None:
        """Reset max_connections, and restart PostgreSQL where another value than the configured one is in force."""
        with administrator(stack, "postgres", SECONDS) as ask:
            ask("ALTER SYSTEM RESET max_connections")
            has_more = int(ask("SHOW max_connections")[0][0]) != POSTGRES_MAX_CONNECTIONS
        if has_more:
            our_processes(stack, f"restart {NAME}").restart(NAME)


def _raising(most: int) -> str:
    return f"ALTER SYSTEM SET max_connections = {most:d}"
