"""End the one session of a database whose locks many others wait for; its transaction is rolled back."""

from collections.abc import Mapping

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.probes.sessions import MANY_WAIT
from lakeproof.stack.database_sessions import blocker, end_session, ending_statement, is_ours
from lakeproof.stack.stack import Stack

SECONDS = 10.0


class EndBlockingSession(Named, OfServer):
    """`database`: the server. `session`: the session's number there; 0: the session that most others wait for, at
    least MANY_WAIT of them. `only`: the one session that may be ended (named.py).
    """

    session: int = Field(0, ge=0)


def typed(stack: Stack, arguments: EndBlockingSession) -> str:
    """The statement."""
    return ending_statement(arguments.database, str(arguments.session or arguments.only or "SESSION"))


def run(stack: Stack, arguments: EndBlockingSession) -> str:
    """End the session and tell who waited; safe where nobody waits, or it had ended already. Its uncommitted work is
    rolled back.

    Raises: CouldNotLook; TerminalError where fewer than MANY_WAIT wait, where another session blocks than the
    proposal named, or where the session is a repair of Lakeproof's own.
    """
    if arguments.session:
        if is_ours(stack, arguments.database, arguments.session, SECONDS):
            raise _is_ours(arguments, arguments.session)
        return _end(stack, arguments, arguments.session, "")
    found = blocker(stack, arguments.database, SECONDS)
    if found is None:
        return "no session waits for another, so none is ended"
    if found.ours:
        raise _is_ours(arguments, found.session)
    if found.waiting < MANY_WAIT:
        raise TerminalError(
            f"session {found.session} of {found.account} keeps {found.waiting} waiting, fewer than {MANY_WAIT}",
            where=arguments.database,
            next_action=f"it may be done soon; --arg session={found.session} ends it all the same",
        )
    named_one(arguments, [found.session])  # raises where the proposal named another one
    waited = f"{found.waiting} sessions waited for it, {found.longest:.0f} s the longest"
    return f"{_end(stack, arguments, found.session, f' of {found.account}')}; {waited}"


def _end(stack: Stack, arguments: EndBlockingSession, session: int, whose: str) -> str:
    """End the session and tell whether it was there. Raises: CouldNotLook."""
    if end_session(stack, arguments.database, session, SECONDS):
        return f"ended session {session}{whose}"
    return f"session {session}{whose} had ended already"


def _is_ours(arguments: EndBlockingSession, session: int) -> TerminalError:
    return TerminalError(
        f"session {session} is a repair of Lakeproof, and has to come to its end",
        where=arguments.database,
        next_action="wait for it; ended half-way it leaves a column with NULLs",
    )


def hold(stack: Stack, arguments: EndBlockingSession) -> Mapping[str, str]:
    """The session that at least MANY_WAIT others wait for now."""

    def find() -> list[int]:
        found = blocker(stack, arguments.database, SECONDS)
        return [found.session] if found and not found.ours and found.waiting >= MANY_WAIT else []

    return {} if arguments.session else hold_to_found(arguments, find)


MITIGATION = Mitigation(
    "end_blocking_session",
    "end the session whose locks many others wait for",
    typed,
    run,
    EndBlockingSession,
    hold=hold,
)
