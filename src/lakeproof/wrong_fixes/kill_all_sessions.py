"""A wrong fix: end every session of a database but the administrator's. The shop loses its own; the leak goes on."""

from collections.abc import Mapping

from lakeproof.arguments import OfServer
from lakeproof.stack.database_sessions import ENGINES, Server, administrator
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


def typed(stack: Stack, arguments: OfServer) -> str:
    """The statement that ends a session, and the query that lists the sessions."""
    server = arguments.database
    listed = ALL[server].replace(PLACEHOLDERS[server], repr(_administrator(stack, server)))
    return f"{ENGINES[server].ending_statement('id')}; -- for each of {listed}"


def run(stack: Stack, arguments: OfServer) -> str:
    """End the sessions; one that ends by itself meanwhile is fine. Raises: CouldNotLook."""
    server = arguments.database
    with administrator(stack, server, SECONDS) as ask:
        found = ask(ALL[server], _administrator(stack, server))
        for (session,) in found:
            ask(ENGINES[server].ending_statement(str(int(session))))
    return f"ended {len(found)} sessions"


WRONG_STEP = WrongStep("kill_all_sessions", "end every session of a database (mends nothing)", typed, run, OfServer)
