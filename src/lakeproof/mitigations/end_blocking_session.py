"""End the one session of a database whose locks many others wait for; its transaction is rolled back."""

from typing import Literal

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.database_locks import blocker, end_session, ending_statement
from lakeproof.stack.stack import Stack

SECONDS = 10.0


class EndBlockingSession(Arguments):
    """`database`: the server. `session`: its number there; 0: the one that most others wait for."""

    database: Literal["mysql", "postgres"] = "mysql"
    session: int = Field(0, ge=0)


def typed(stack: Stack, arguments: EndBlockingSession) -> str:
    """The statement."""
    return ending_statement(arguments.database, str(arguments.session or "SESSION"))


def run(stack: Stack, arguments: EndBlockingSession) -> str:
    """End it and tell who waited; fine where nobody waits. What it had not committed is rolled back."""
    if arguments.session:
        end_session(stack, arguments.database, arguments.session, SECONDS)
        return f"ended session {arguments.session}"
    found = blocker(stack, arguments.database, SECONDS)
    if found is None:
        return "no session waits for another, so none is ended"
    end_session(stack, arguments.database, found.session, SECONDS)
    waited = f"{found.waiting} sessions waited for it, {found.longest:.0f} s the longest"
    return f"ended session {found.session} of {found.account}; {waited}"


MITIGATION = Mitigation(
    "end_blocking_session", "end the session whose locks many others wait for", typed, run, EndBlockingSession
)
