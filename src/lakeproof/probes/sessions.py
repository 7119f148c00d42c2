"""Questions to MariaDB and PostgreSQL about their sessions: how many are taken, which account holds idle ones, and
whether one session keeps many others waiting.

A server that has no session left says so, and that is an answer: all are taken.
"""

from collections.abc import Iterator
from functools import partial

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.stack.database_sessions import (
    ENGINES,
    LEAK_PERCENT,
    Server,
    Sessions,
    blocker,
    longest_statement,
    sessions,
)
from lakeproof.stack.engines.sessions import WAIT_SECONDS, Blocker, NoneLeft
from lakeproof.stack.stack import Stack

FULL_PERCENT = 90
# Fewer sessions wait for one other now and then, where two change the same row.
MANY_WAIT = 5
NOBODY = "nobody"
# A statement that ends within this time is nobody's trouble.
LONG_SECONDS = 1.0


def _look(stack: Stack, timeout: float, server: Server) -> Sessions:
    return once(("sessions", server, stack.address(server, "tcp")), lambda: sessions(stack, server, timeout))


def taken(stack: Stack, timeout: float, server: Server) -> Value:
    """Percent of its sessions that are taken; 100 where even the administrator is turned away."""
    try:
        return _look(stack, timeout, server).percent
    except NoneLeft:
        return 100.0


def idle_share(stack: Stack, timeout: float, server: Server) -> Value:
    """Idle sessions of the account that holds the most of them, in percent of all that the server lets in."""
    return _look(stack, timeout, server).idle_percent


def by_account(stack: Stack, timeout: float, server: Server) -> Value:
    """The accounts and their sessions in words, the largest first; "nobody" where nobody is logged in."""
    held = sorted(_look(stack, timeout, server).by_account.items(), key=lambda one: (-one[1].sessions, one[0]))
    return "; ".join(f"{name}: {one.sessions}, {one.idle} of them idle" for name, one in held) or NOBODY


def longest(stack: Stack, timeout: float, server: Server) -> Value:
    """The statement that runs for the longest, in words: whose, in which session, for how long, and its first word.

    The rest of it is left to the server's own list: a password or a customer's name may be among its values. "nobody"
    where none runs for LONG_SECONDS.
    """
    found = longest_statement(stack, server, timeout)
    if found is None or found.seconds < LONG_SECONDS:
        return NOBODY
    return f"{found.account}, session {found.session}, for {found.seconds:.0f} s: {found.verb}"


def _blocker(stack: Stack, timeout: float, server: Server) -> Blocker | None:
    return once(("locks", server, stack.address(server, "tcp")), lambda: blocker(stack, server, timeout))


def lock_waiters(stack: Stack, timeout: float, server: Server) -> Value:
    """How many sessions wait for the one that most others wait for; 0 where that is a repair of Lakeproof."""
    found = _blocker(stack, timeout, server)
    return found.waiting if found and not found.ours else 0


def who_blocks(stack: Stack, timeout: float, server: Server) -> Value:
    """The session that most others wait for, in words; "nobody" where none waits for another."""
    found = _blocker(stack, timeout, server)
    if found is None:
        return NOBODY
    whose = "a repair of Lakeproof" if found.ours else found.account
    return f"session {found.session} of {whose}: {found.waiting} wait, {found.longest:.0f} s the longest"


def _probes(server: Server) -> Iterator[Probe]:
    tables, locks = ENGINES[server].SESSIONS_SHOWN_IN, ENGINES[server].WAITS_SHOWN_IN
    few, below = Condition(Operator.BELOW, FULL_PERCENT), Condition(Operator.BELOW, LEAK_PERCENT)
    most = "max_connections"
    ask, query = partial(taken, server=server), f"{tables}: rows of {most}"
    yield Probe(f"{server}-connections", server, query, "%", ask, few, steady=True)
    yield Probe(
        f"{server}-idle-account",
        server,
        f"{tables}: idle rows of the account with the most of them, of {most}",
        "%",
        partial(idle_share, server=server),
        below,
        steady=True,
    )
    yield Probe(
        f"{server}-lock-waiters",
        server,
        f"{locks}: sessions that wait for one other session, one of them for {WAIT_SECONDS} s",
        "sessions",
        partial(lock_waiters, server=server),
        Condition(Operator.BELOW, MANY_WAIT),
        steady=True,
    )
    yield Probe(f"{server}-blocker", server, f"{locks}: that session", "", partial(who_blocks, server=server))
    yield Probe(
        f"{server}-longest", server, f"{tables}: what runs for the longest", "", partial(longest, server=server)
    )
    yield Probe(f"{server}-accounts", server, f"{tables} by account", "", partial(by_account, server=server))


PROBES = (*_probes("mysql"), *_probes("postgres"))
