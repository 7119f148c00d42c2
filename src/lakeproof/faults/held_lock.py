"""A session locks a table and keeps the lock, while a tool without a pool asks for that table in ever more sessions.

A lock alone does not fill a server: the shop's services have few sessions each, and give up after seconds
(docs/decisions/0023). It is filled by clients that open a session for each question and wait there. The lock and the
clients are in a process of their own (lock_holder.py), since they must outlive the command that makes the fault.
"""

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.faults import account_limit
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.lock_holder import ACCOUNT, TABLES, read
from lakeproof.processes import detached
from lakeproof.stack.database_sessions import Server, blocker, sessions
from lakeproof.stack.stack import Stack

SECONDS = 10.0
# A queue of WAITING sessions is no moment's chance. The alert speaks at TAKEN_PERCENT.
WAITING, TAKEN_PERCENT = 10, 90.0


class HeldLock(OfServer):
    """`database`: the server. `table`: which one is locked; by default one that each purchase writes.
    `percent`: the share of the server's sessions that are taken in the end.
    """

    table: str = Field("", pattern=r"^(([a-z_]+\.)?[a-z_]+)?$")
    percent: int = Field(95, ge=1, le=99)


def _table(arguments: HeldLock) -> str:
    return arguments.table or TABLES[arguments.database]


def _name(arguments: HeldLock) -> str:
    return f"held_lock {arguments.database} {_table(arguments)}"


def running(stack: Stack, arguments: HeldLock) -> bool:
    """True while the process is there; it ends together with its session."""
    return bool(detached.find(stack, _name(arguments)))


def inject(stack: Stack, arguments: HeldLock) -> None:
    """Have the process lock the table and queue for it. Raises: CouldNotLook, also where there is no such table."""
    server: Server = arguments.database
    if running(stack, arguments):
        return
    read(stack, server, _table(arguments), SECONDS)
    account_limit.lift(stack, server, ACCOUNT, FAULT.id)
    given = (server, _table(arguments), str(arguments.percent))
    detached.start(stack, _name(arguments), "lakeproof.faults.lock_holder", *given)


def remove(stack: Stack, arguments: HeldLock) -> None:
    """End the process, and with it the lock and those who wait for it. Raises: CouldNotLook."""
    detached.end(stack, _name(arguments))
    account_limit.put_back(stack, arguments.database, ACCOUNT, FAULT.id)


def sign(stack: Stack, arguments: HeldLock) -> Sign:
    """Many wait for one session, and as many sessions are taken as were asked for, or as the alert speaks at."""
    found = blocker(stack, arguments.database, SECONDS)
    waiting = found.waiting if found else 0
    seen = sessions(stack, arguments.database, SECONDS)
    full = seen.percent >= min(TAKEN_PERCENT, arguments.percent)
    return Sign(waiting >= WAITING and full, f"{waiting} wait for one session, {seen.total} of {seen.most} are taken")


FAULT = Fault(
    "held_lock",
    "lock a table of a database, and let a tool wait for it in ever more sessions",
    inject,
    remove,
    sign,
    HeldLock,
)
