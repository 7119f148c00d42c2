"""End the idle sessions of the one account that holds too many, and limit it, so that they do not come back."""

from typing import Annotated, Literal

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.database_sessions import MYSQL_IDLE, end_idle, limit, limit_of, limit_statement, sessions
from lakeproof.stack.stack import Stack

SECONDS = 10.0
LIMIT = 10


class EndIdleSessions(Arguments):
    """`database`: the server. `account`: whose; "": of the account that holds more than half of all sessions, idle.

    `limit`: so many sessions the account may have from then on.
    """

    database: Literal["mysql", "postgres"] = "mysql"
    account: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,30})?$")] = ""
    limit: int = Field(LIMIT, ge=1, le=1000)


def typed(stack: Stack, arguments: EndIdleSessions) -> str:
    """The statements."""
    account = arguments.account or "ACCOUNT"
    ending = (
        f"KILL CONNECTION id; -- for each of {MYSQL_IDLE % repr(account)}"
        if arguments.database == "mysql"
        else f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{account}' AND state = 'idle'"
    )
    return f"{limit_statement(arguments.database, account, arguments.limit)}; {ending}"


def run(stack: Stack, arguments: EndIdleSessions) -> str:
    """Limit first, so that nothing comes back between the two; fine where no session is idle.

    The limit lasts: the answer tells the statement that takes it back.
    """
    account = arguments.account or sessions(stack, arguments.database, SECONDS).leaking
    if account is None:
        return "no account holds more than half of the sessions, so nobody's are ended"
    before = limit_of(stack, arguments.database, account, SECONDS)
    limit(stack, arguments.database, account, arguments.limit, SECONDS)
    ended = end_idle(stack, arguments.database, account, SECONDS)
    back = limit_statement(arguments.database, account, before)
    return f"ended {ended} idle sessions of {account}, which may have {arguments.limit} from now on (undo: {back})"


MITIGATION = Mitigation(
    "end_idle_sessions",
    "end the idle sessions of the account that holds too many, and limit it",
    typed,
    run,
    EndIdleSessions,
)
