"""Repairs of the scenario connection-saturation."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated
from urllib.parse import quote

from pydantic import Field

from lakeproof.arguments import OfServer
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.probes.sessions import MANY_WAIT
from lakeproof.stack.database_sessions import (
    ENGINES,
    LEAK_PERCENT,
    blocker,
    end_idle,
    end_session,
    ending_statement,
    idle_in_transaction,
    is_ours,
    limit,
    limit_of,
    limit_statement,
    own_accounts,
    sessions,
)
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

SECONDS = 10.0


class EndBlockingSession(Named, OfServer, Mitigation):
    """End the session whose locks many others wait for.

    `database`: the server. `session`: the session's number there; 0: the session that most others wait for, at
    least MANY_WAIT of them. `only`: the one session that may be ended (named.py).
    """

    session: int = Field(0, ge=0)

    def typed(self, stack: Stack) -> str:
        """The statement."""
        return ending_statement(self.database, str(self.session or self.only or "SESSION"))

    def run(self, stack: Stack) -> str:
        """End the session and tell who waited; safe where nobody waits, or it had ended already. Its uncommitted work
        is rolled back.

        Raises: CouldNotLook; TerminalError where fewer than MANY_WAIT wait, where another session blocks than the
        proposal named, or where the session is a repair of Lakeproof's own.
        """
        if self.session:
            if is_ours(stack, self.database, self.session, SECONDS):
                raise self._is_ours(self.session)
            return self._end(stack, self.session, "")
        found = blocker(stack, self.database, SECONDS)
        if found is None:
            return "no session waits for another, so none is ended"
        if found.ours:
            raise self._is_ours(found.session)
        if found.waiting < MANY_WAIT:
            raise TerminalError(
                f"session {found.session} of {found.account} keeps {found.waiting} waiting, fewer than {MANY_WAIT}",
                where=self.database,
                next_action=f"it may be done soon; --arg session={found.session} ends it all the same",
            )
        named_one(self, [found.session])  # raises where the proposal named another one
        waited = f"{found.waiting} sessions waited for it, {found.longest:.0f} s the longest"
        return f"{self._end(stack, found.session, f' of {found.account}')}; {waited}"

    def _end(self, stack: Stack, session: int, whose: str) -> str:
        """End the session and tell whether it was there. Raises: CouldNotLook."""
        if end_session(stack, self.database, session, SECONDS):
            return f"ended session {session}{whose}"
        return f"session {session}{whose} had ended already"

    def _is_ours(self, session: int) -> TerminalError:
        return TerminalError(
            f"session {session} is a repair of Lakeproof, and has to come to its end",
            where=self.database,
            next_action="wait for it; ended half-way it leaves a column with NULLs",
        )

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The session that at least MANY_WAIT others wait for now."""

        def find() -> list[int]:
            found = blocker(stack, self.database, SECONDS)
            return [found.session] if found and not found.ours and found.waiting >= MANY_WAIT else []

        return {} if self.session else hold_to_found(self, find)


LIMIT = 10


class EndIdleSessions(Named, OfServer, Mitigation):
    """End the idle sessions of the account that holds too many, and limit it.

    End the idle sessions of the one account that holds too many, and limit it, so that they do not come back.

    An account by which a component of the stack logs in is never limited: its pool is bounded by a setting, and a
    limit that nobody remembers would turn the shop's own calls away on its next busy day.

    `database`: the server. `account`: whose sessions; "": the account whose idle ones are more than half of all.

    `limit`: how many sessions the account may have from then on. `only`: the one account to touch (named.py).
    """

    account: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,128}$")] = ""
    limit: int = Field(LIMIT, ge=1, le=1000)

    def typed(self, stack: Stack) -> str:
        """The statements. Raises: InvalidInput where the account is a component's."""
        account = self.account or self.only or "ACCOUNT"
        self._refuse_components_own(stack, account)
        ending = ENGINES[self.database].ending_idle(account)
        return f"{limit_statement(self.database, account, self.limit)}; {ending}"

    def run(self, stack: Stack) -> str:
        """Limit the account, then end its idle sessions, so that none comes back in between; safe where none is idle.
        A session that is idle within a transaction stays: to end it would roll back somebody's work.

        The limit lasts, and the answer tells the statement that takes it back. Raises: InvalidInput, before anything
        is changed, where the account is a component's; CouldNotLook; TerminalError where another account leaks than
        the proposal named, or where the account still leaks afterwards, through sessions within transactions.
        """
        account = self.account or named_one(self, self._leaking(stack))
        if account is None:
            return "no account holds more than half of the sessions, so nobody's are ended"
        self._refuse_components_own(stack, account)
        before = self._noted(stack, account)
        limit(stack, self.database, account, self.limit, SECONDS)
        ended = end_idle(stack, self.database, account, SECONDS)
        left = idle_in_transaction(stack, self.database, account, SECONDS)
        back = limit_statement(self.database, account, before)
        said = f"ended {ended} idle sessions of {account}, which may have {self.limit} from now on (undo: {back})"
        if not left:
            return said
        said += f"; {left} are idle within a transaction and were not ended, for that rolls back what they did"
        if 100 * left > LEAK_PERCENT * sessions(stack, self.database, SECONDS).most:
            raise TerminalError(
                f"{said}; more than half of all sessions are still theirs",
                where=self.database,
                next_action="ask whose they are, then end their client, or each session by hand",
            )
        return said

    def _noted(self, stack: Stack, account: str) -> int:
        """The account's limit before this step first changed it. A repeat would read the limit that the step
        has set.
        """
        note = stack.data_dir("session-limits") / f"{self.database}-{quote(account, safe='')}.json"
        before = limit_of(stack, self.database, account, SECONDS)
        if note.is_file():
            noted = json.loads(note.read_text(encoding="utf-8"))
            if noted["set"] == before:
                before = int(noted["before"])
        with suppress(OSError):  # a full disk costs a repeat its way back, and is no reason not to end the leak
            write_file(note, json.dumps({"before": before, "set": self.limit}))
        return before

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The account that leaks now."""
        return {} if self.account else hold_to_found(self, lambda: self._leaking(stack))

    def _leaking(self, stack: Stack) -> list[str]:
        account = sessions(stack, self.database, SECONDS).leaking
        return [account] if account else []

    def _refuse_components_own(self, stack: Stack, account: str) -> None:
        if account in own_accounts(stack, self.database):
            raise InvalidInput(
                f"{account} is the account of a component of this stack, which a limit would turn away",
                where=self.database,
                next_action="restart that component, which ends its sessions, and look at its setting pool_size",
            )
