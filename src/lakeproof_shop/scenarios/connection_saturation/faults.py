"""Faults of the scenario connection-saturation."""

from typing import Literal

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.errors import CouldNotLook
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes import detached
from lakeproof.stack.database_sessions import ENGINES, Server, blocker, sessions
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import account_limit
from lakeproof_shop.scenarios.connection_saturation.lock_holder import ACCOUNT, TABLES, read

LOCK_SECONDS = 10.0

# A queue of WAITING sessions is no moment's chance. The alert speaks at TAKEN_PERCENT.
WAITING, TAKEN_PERCENT = 10, 90.0


class HeldLock(OfServer, Fault):
    """Lock a table of a database, and let a tool wait for it in ever more sessions.

    A session locks a table and keeps the lock, while a tool without a pool asks for that table in ever more
    sessions.

    A lock alone does not fill a server: the shop's services have few sessions each, and give up after seconds
    (docs/decisions/0023). It is filled by clients that open a session for each question and wait there. The lock and
    the clients are in a process of their own (lock_holder.py), since they must outlive the command that makes the
    fault.

    `database`: the server. `table`: which one is locked; by default one that each purchase writes.
    `percent`: the share of the server's sessions that are taken in the end.
    """

    table: str = Field("", pattern=r"^(([a-z_]+\.)?[a-z_]+)?$")
    percent: int = Field(95, ge=1, le=99)

    def _table(self) -> str:
        return self.table or TABLES[self.database]

    def _name(self) -> str:
        return f"held_lock {self.database} {self._table()}"

    def inject(self, stack: Stack) -> None:
        """Have the process lock the table and queue for it. Raises: CouldNotLook, also where there is no such
        table.
        """
        server: Server = self.database
        if running(stack, self):
            return
        read(stack, server, self._table(), LOCK_SECONDS)
        account_limit.lift(stack, server, ACCOUNT, self.id)
        given = (server, self._table(), str(self.percent))
        detached.start(stack, self._name(), "lakeproof_shop.scenarios.connection_saturation.lock_holder", *given)

    def remove(self, stack: Stack) -> None:
        """End the process, and with it the lock and those who wait for it. Raises: CouldNotLook."""
        detached.end(stack, self._name())
        account_limit.put_back(stack, self.database, ACCOUNT, self.id)

    def sign(self, stack: Stack) -> Sign:
        """Many wait for one session, and as many sessions are taken as were asked for, or as the alert speaks at."""
        found = blocker(stack, self.database, LOCK_SECONDS)
        waiting = found.waiting if found else 0
        seen = sessions(stack, self.database, LOCK_SECONDS)
        full = seen.percent >= min(TAKEN_PERCENT, self.percent)
        return Sign(
            waiting >= WAITING and full, f"{waiting} wait for one session, {seen.total} of {seen.most} are taken"
        )


def running(stack: Stack, arguments: HeldLock) -> bool:
    """True while the process is there; it ends together with its session."""
    return bool(detached.find(stack, arguments._name()))


SECONDS = 5.0

NOTE = "the-leak"

# Far above what any test server lets in, and below the files that a process may have open.
MOST = 900


class LeakedSessions(OfServer, Fault):
    """Let an account of a database hold idle sessions until none is left.

    An account opens sessions in a database, leaves them idle and never closes one, until the server has none left.

    The account is one of its own (mysql_accounts.py, postgres_accounts.py), which no part of the shop uses. What
    holds the sessions is a process of its own (session_leak.py), since they must outlive the command that makes the
    fault.

    `database`: the server. `account`: whose sessions. `sessions`: how many; by default all that the server has.
    """

    account: Literal["report"] = "report"
    sessions: int = Field(MOST, ge=1, le=MOST)

    def _name(self) -> str:
        return f"leaked_sessions {self.database} {self.account} {self.sessions}"

    def inject(self, stack: Stack) -> None:
        """Take the account's limit away, note it for `remove`, and let the account leak."""
        account_limit.lift(stack, self.database, self.account, NOTE)
        given = (self.database, self.account, str(self.sessions))
        detached.start(stack, self._name(), "lakeproof_shop.scenarios.connection_saturation.session_leak", *given)

    def remove(self, stack: Stack) -> None:
        """End the process, and its sessions with it; the account gets its old limit back, whatever a repair set.

        Raises: CouldNotLook where the database does not answer.
        """
        detached.end(stack, self._name())
        account_limit.put_back(stack, self.database, self.account, NOTE)

    def sign(self, stack: Stack) -> Sign:
        """The account has all sessions that it wants; or nobody else gets in, and it holds more than all others."""
        try:
            seen = sessions(stack, self.database, SECONDS)
        except CouldNotLook as error:
            return Sign(False, error.what)
        held = seen.by_account.get(self.account)
        told = f"{held.idle if held else 0} of {seen.most} sessions are idle ones of {self.account}"
        full = seen.total >= seen.most - ENGINES[self.database].KEPT and seen.leaking == self.account
        enough = held is not None and held.sessions >= self.sessions
        return Sign(full or enough, f"{told}, {seen.total} are taken")
