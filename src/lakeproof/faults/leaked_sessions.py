"""An account opens sessions in a database, leaves them idle and never closes one, until the server has none left.

The account is one of its own (mysql_accounts.py, postgres_accounts.py), which no part of the shop uses. What holds
the sessions is a process of its own (session_leak.py), since they must outlive the command that makes the fault.
"""

from typing import Literal

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.errors import CouldNotLook
from lakeproof.faults import account_limit
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import detached
from lakeproof.stack.database_sessions import ENGINES, sessions
from lakeproof.stack.stack import Stack

SECONDS = 5.0
NOTE = "the-leak"
# Far above what any test server lets in, and below the files that a process may have open.
MOST = 900


class LeakedSessions(OfServer):
    """`database`: the server. `account`: whose sessions. `sessions`: how many; by default all that the server has."""

    account: Literal["report"] = "report"
    sessions: int = Field(MOST, ge=1, le=MOST)


def _name(arguments: LeakedSessions) -> str:
    return f"leaked_sessions {arguments.database} {arguments.account} {arguments.sessions}"


def inject(stack: Stack, arguments: LeakedSessions) -> None:
    """Take the account's limit away, note it for `remove`, and let the account leak."""
    account_limit.lift(stack, arguments.database, arguments.account, NOTE)
    given = (arguments.database, arguments.account, str(arguments.sessions))
    detached.start(stack, _name(arguments), "lakeproof.faults.session_leak", *given)


def remove(stack: Stack, arguments: LeakedSessions) -> None:
    """End the process, and its sessions with it; the account gets its old limit back, whatever a repair set.

    Raises: CouldNotLook where the database does not answer.
    """
    detached.end(stack, _name(arguments))
    account_limit.put_back(stack, arguments.database, arguments.account, NOTE)


def sign(stack: Stack, arguments: LeakedSessions) -> Sign:
    """The account has all sessions that it wants; or nobody else gets in, and it holds more than all others."""
    try:
        seen = sessions(stack, arguments.database, SECONDS)
    except CouldNotLook as error:
        return Sign(False, error.what)
    held = seen.by_account.get(arguments.account)
    told = f"{held.idle if held else 0} of {seen.most} sessions are idle ones of {arguments.account}"
    full = seen.total >= seen.most - ENGINES[arguments.database].KEPT and seen.leaking == arguments.account
    enough = held is not None and held.sessions >= arguments.sessions
    return Sign(full or enough, f"{told}, {seen.total} are taken")


FAULT = Fault(
    "leaked_sessions",
    "let an account of a database hold idle sessions until none is left",
    inject,
    remove,
    sign,
    LeakedSessions,
)
