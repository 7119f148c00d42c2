"""An account of MariaDB opens sessions, leaves them idle and never closes one, until the server has none left.

The account is one of its own (stack/engines/mysql_accounts.py), which no part of the shop uses. What holds the
sessions is a process of its own (session_leak.py), since they must outlive the command that makes the fault.
"""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import detached
from lakeproof.stack.database_sessions import UNLIMITED, limit, sessions
from lakeproof.stack.stack import Stack

SECONDS = 5.0
SERVER: Literal["mysql"] = "mysql"


class LeakedSessions(Arguments):
    """`account`: whose sessions."""

    account: Literal["report"] = "report"


def _name(arguments: LeakedSessions) -> str:
    return f"leaked_sessions {arguments.account}"


def inject(stack: Stack, arguments: LeakedSessions) -> None:
    """Take the account's limit away, which an earlier repair may have set, and let it leak."""
    limit(stack, SERVER, arguments.account, UNLIMITED, SECONDS)
    detached.start(stack, _name(arguments), "lakeproof.faults.session_leak", arguments.account)


def remove(stack: Stack, arguments: LeakedSessions) -> None:
    """End the process, and its sessions with it; a limit that a repair has set stays."""
    detached.end(stack, _name(arguments))


def sign(stack: Stack, arguments: LeakedSessions) -> Sign:
    """The server lets in nobody else, and the account holds more of the sessions than all others."""
    try:
        seen = sessions(stack, SERVER, SECONDS)
    except CouldNotLook as error:
        return Sign(False, error.what)
    held = seen.by_account.get(arguments.account)
    told = f"{held.idle if held else 0} of {seen.most} sessions are idle ones of {arguments.account}"
    return Sign(seen.total >= seen.most and seen.leaking == arguments.account, f"{told}, {seen.total} are taken")


FAULT = Fault(
    "leaked_sessions",
    "let an account of MariaDB hold idle sessions until none is left",
    inject,
    remove,
    sign,
    LeakedSessions,
)
