"""End the idle sessions of the one account that holds too many, and limit it, so that they do not come back.

An account by which a component of the stack logs in is never limited: its pool is bounded by a setting, and a limit
that nobody remembers would turn the shop's own calls away on its next busy day.
"""

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
from lakeproof.stack.database_sessions import (
    ENGINES,
    LEAK_PERCENT,
    end_idle,
    idle_in_transaction,
    limit,
    limit_of,
    limit_statement,
    own_accounts,
    sessions,
)
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

SECONDS = 10.0
LIMIT = 10


class EndIdleSessions(Named, OfServer):
    """`database`: the server. `account`: whose sessions; "": the account whose idle ones are more than half of all.

    `limit`: how many sessions the account may have from then on. `only`: the one account to touch (named.py).
    """

    account: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,128}$")] = ""
    limit: int = Field(LIMIT, ge=1, le=1000)


def typed(stack: Stack, arguments: EndIdleSessions) -> str:
    """The statements. Raises: InvalidInput where the account is a component's."""
    account = arguments.account or arguments.only or "ACCOUNT"
    _refuse_components_own(stack, arguments, account)
    ending = ENGINES[arguments.database].ending_idle(account)
    return f"{limit_statement(arguments.database, account, arguments.limit)}; {ending}"


def run(stack: Stack, arguments: EndIdleSessions) -> str:
    """Limit the account, then end its idle sessions, so that none comes back in between; safe where none is idle. A
    session that is idle within a transaction stays: to end it would roll back somebody's work.

    The limit lasts, and the answer tells the statement that takes it back. Raises: InvalidInput, before anything is
    changed, where the account is a component's; CouldNotLook; TerminalError where another account leaks than the
    proposal named, or where the account still leaks afterwards, through sessions within transactions.
    """
    account = arguments.account or named_one(arguments, _leaking(stack, arguments))
    if account is None:
        return "no account holds more than half of the sessions, so nobody's are ended"
    _refuse_components_own(stack, arguments, account)
    before = _noted(stack, arguments, account)
    limit(stack, arguments.database, account, arguments.limit, SECONDS)
    ended = end_idle(stack, arguments.database, account, SECONDS)
    left = idle_in_transaction(stack, arguments.database, account, SECONDS)
    back = limit_statement(arguments.database, account, before)
    said = f"ended {ended} idle sessions of {account}, which may have {arguments.limit} from now on (undo: {back})"
    if not left:
        return said
    said += f"; {left} are idle within a transaction and were not ended, for that rolls back what they did"
    if 100 * left > LEAK_PERCENT * sessions(stack, arguments.database, SECONDS).most:
        raise TerminalError(
            f"{said}; more than half of all sessions are still theirs",
            where=arguments.database,
            next_action="ask whose they are, then end their client, or each session by hand",
        )
    return said


def _noted(stack: Stack, arguments: EndIdleSessions, account: str) -> int:
    """The account's limit before this step first changed it. A repeat would read the limit that the step has set."""
    note = stack.data_dir("session-limits") / f"{arguments.database}-{quote(account, safe='')}.json"
    before = limit_of(stack, arguments.database, account, SECONDS)
    if note.is_file():
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["set"] == before:
            before = int(noted["before"])
    with suppress(OSError):  # a full disk costs a repeat its way back, and is no reason not to end the leak
        write_file(note, json.dumps({"before": before, "set": arguments.limit}))
    return before


def hold(stack: Stack, arguments: EndIdleSessions) -> Mapping[str, str]:
    """The account that leaks now."""
    return {} if arguments.account else hold_to_found(arguments, lambda: _leaking(stack, arguments))


def _leaking(stack: Stack, arguments: EndIdleSessions) -> list[str]:
    account = sessions(stack, arguments.database, SECONDS).leaking
    return [account] if account else []


def _refuse_components_own(stack: Stack, arguments: EndIdleSessions, account: str) -> None:
    if account in own_accounts(stack, arguments.database):
        raise InvalidInput(
            f"{account} is the account of a component of this stack, which a limit would turn away",
            where=arguments.database,
            next_action="restart that component, which ends its sessions, and look at its setting pool_size",
        )


MITIGATION = Mitigation(
    "end_idle_sessions",
    "end the idle sessions of the account that holds too many, and limit it",
    typed,
    run,
    EndIdleSessions,
    hold=hold,
)
