"""Somebody locked all orders in MariaDB and went away; clients without a pool wait, until no session is left.

The shop's own services open so many sessions and no more, and give a lock up after seconds: they alone never fill the
server (decision 23). So reports are asked for meanwhile, each in a session of its own (lock_holder.py).
"""

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import detached
from lakeproof.stack.database_locks import blocker
from lakeproof.stack.database_sessions import UNLIMITED, limit, sessions
from lakeproof.stack.engines.mysql_accounts import REPORT
from lakeproof.stack.stack import Stack

SECONDS = 5.0
NAME = "held_lock"
FULL_PERCENT = 95.0


def inject(stack: Stack, arguments: Arguments) -> None:
    """Take the reports' limit away, which an earlier repair may have set, and start the process that holds the lock
    and asks for reports; fine where it runs.
    """
    limit(stack, "mysql", REPORT, UNLIMITED, SECONDS)
    detached.start(stack, NAME, "lakeproof.faults.lock_holder")


def remove(stack: Stack, arguments: Arguments) -> None:
    """End that process, and its sessions with it."""
    detached.end(stack, NAME)


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """Most sessions that the server lets in wait for one other, and next to none is left."""
    try:
        found, seen = blocker(stack, "mysql", SECONDS), sessions(stack, "mysql", SECONDS)
    except CouldNotLook as error:
        return Sign(False, error.what)
    waiting = found.waiting if found else 0
    told = f"{waiting} sessions wait for one other, {seen.total} of {seen.most} are taken"
    return Sign(waiting > seen.most / 2 and seen.percent >= FULL_PERCENT, told)


FAULT = Fault(NAME, "hold a lock on all orders, and let clients without a pool wait for it", inject, remove, sign)
