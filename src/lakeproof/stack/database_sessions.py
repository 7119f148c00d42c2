"""The sessions of a database server: how many each account holds, which session keeps others waiting by its locks,
and how many an account may have, which the administrator sets. Each server's statements are in its engine's module.

A session that waits for a lock keeps its connection. In a client with a pool, other requests then wait for a
connection; a client without one opens another connection for each question, until the server has none left.

When all sessions are taken, both servers still admit the administrator: MariaDB one session, PostgreSQL three. Health
question, exporter and probes may want these places at the same moment, each for a moment, so whoever finds none tries
again until its time is over. While there is room, the account `reader` counts the sessions, so that an
external server need not give us its administrator's password.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql_sessions, postgres_sessions
from lakeproof.stack.engines.sessions import Ask, Blocker, NoneLeft
from lakeproof.stack.stack import Stack

type Server = Literal["mysql", "postgres"]

READER = "reader"
# An account leaks where its idle sessions are more than this share of all that the server lets in.
LEAK_PERCENT = 50.0
UNLIMITED = 0
BETWEEN_LOOKS = 0.5
# Finds the first word of a statement, after any comments.
_VERB = re.compile(r"(?>\s|/\*(?:(?!\*/).)*\*/|--[^\n]*\n)*+([A-Za-z]+)", re.DOTALL)


class Engine(Protocol):
    """What the module of each server has; the comments there say what each name is."""

    ADMINISTRATOR: tuple[str, str]
    ACCOUNTS: Sequence[tuple[str, str]]
    KEPT: int
    SESSIONS_SHOWN_IN: str
    WAITS_SHOWN_IN: str
    MOST: str
    SESSIONS: str
    STATEMENTS: str
    IDLE_IN_TRANSACTION: str
    LIMIT_OF: str
    BEFORE_LIMIT: Sequence[str]

    def limit_statement(self, account: str, sessions: int) -> str: ...
    def ending_statement(self, session: str) -> str: ...
    def ending_idle(self, account: str) -> str: ...
    def end_idle(self, ask: Ask, account: str) -> int: ...
    def end_one(self, ask: Ask, session: int) -> bool: ...
    def is_ours(self, ask: Ask, session: int) -> bool: ...
    def blocker(self, ask: Ask) -> Blocker | None: ...
    def session(
        self, stack: Stack, user: str, secret: str, seconds: float, database: str = ...
    ) -> AbstractContextManager[Ask]: ...


ENGINES: Mapping[Server, Engine] = {"mysql": mysql_sessions, "postgres": postgres_sessions}


def own_accounts(stack: Stack, server: Server) -> frozenset[str]:
    """The accounts by which components of this stack log in, and the administrator's; not those of people."""
    engine = ENGINES[server]
    return frozenset(stack.account(secret, user) for user, secret in (*engine.ACCOUNTS, engine.ADMINISTRATOR))


@dataclass(frozen=True)
class Held:
    """The sessions of one account; the idle ones among them wait for their client."""

    sessions: int
    idle: int


@dataclass(frozen=True)
class Sessions:
    """All sessions of a server without the one that counts them. most: how many the server lets in."""

    most: int
    by_account: Mapping[str, Held]

    @property
    def total(self) -> int:
        """The sessions of all accounts."""
        return sum(held.sessions for held in self.by_account.values())

    @property
    def percent(self) -> float:
        """The percentage of the server's sessions that are taken; 100 at most."""
        return min(100.0, round(100 * self.total / self.most, 1))

    @property
    def idlest(self) -> str | None:
        """The account with the most idle sessions; None where no session is idle."""
        idle = {name: held.idle for name, held in self.by_account.items() if held.idle}
        return max(idle, key=lambda name: (idle[name], name)) if idle else None

    @property
    def idle_percent(self) -> float:
        """The idle sessions of the account `idlest`, in percent of all that the server lets in."""
        return round(100 * self.by_account[self.idlest].idle / self.most, 1) if self.idlest else 0.0

    @property
    def leaking(self) -> str | None:
        """The account `idlest`, where its idle sessions are more than LEAK_PERCENT; else None."""
        return self.idlest if self.idle_percent > LEAK_PERCENT else None


def sessions(stack: Stack, server: Server, seconds: float) -> Sessions:
    """How many sessions each account holds. Raises: as `looked_at`."""

    engine = ENGINES[server]

    def count(ask: Ask) -> Sessions:
        most = ask(engine.MOST)[0][0]
        rows = ask(engine.SESSIONS)
        return Sessions(int(most), {str(name): Held(int(held), int(idle)) for name, held, idle in rows})

    return looked_at(stack, server, seconds, count)


@dataclass(frozen=True)
class Statement:
    """A statement that a session runs. seconds: for how long already. verb: its first word."""

    session: int
    account: str
    seconds: float
    verb: str


def longest_statement(stack: Stack, server: Server, seconds: float) -> Statement | None:
    """The statement that has run for the longest; None where none runs. Raises: as `looked_at`."""
    for session, user, age, text in looked_at(stack, server, seconds, lambda ask: ask(ENGINES[server].STATEMENTS)):
        verb = _VERB.match(str(text))
        return Statement(int(session), str(user), float(age), verb[1].upper() if verb else "no word")
    return None


def looked_at[T](stack: Stack, server: Server, seconds: float, look: Callable[[Ask], T]) -> T:
    """The result of `look`, which asks the server as `reader`, or as the administrator where the server is full.

    Raises: NoneLeft, where the administrator is refused too or his password is not known; CouldNotLook where the
    server does not answer.
    """
    engine = ENGINES[server]
    try:
        with engine.session(stack, READER, f"{server}-{READER}", seconds) as ask:
            return look(ask)
    except NoneLeft:
        if not stack.has_secret(engine.ADMINISTRATOR[1]):
            raise
    with administrator(stack, server, seconds) as ask:
        return look(ask)


def limit_of(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """How many sessions the account may have, or UNLIMITED. Raises: CouldNotLook, also for an unknown account."""
    with administrator(stack, server, seconds) as ask:
        rows = ask(ENGINES[server].LIMIT_OF, account)
    if not rows:
        raise CouldNotLook(f"no account {account!r}", where=server)
    return int(rows[0][0])


def limit_statement(server: Server, account: str, sessions: int) -> str:
    """The SQL that limits the account to this many sessions; UNLIMITED takes the limit away."""
    return ENGINES[server].limit_statement(account, sessions)


def limit(stack: Stack, server: Server, account: str, sessions: int, seconds: float) -> None:
    """Limit the account to this many sessions; sessions that are open already stay. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        for statement in (*ENGINES[server].BEFORE_LIMIT, limit_statement(server, account, sessions)):
            ask(statement)


def end_idle(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        return ENGINES[server].end_idle(ask, account)


def idle_in_transaction(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """How many idle sessions of the account `end_idle` spares: those within a transaction. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        return int(ask(ENGINES[server].IDLE_IN_TRANSACTION, account)[0][0])


def blocker(stack: Stack, server: Server, seconds: float) -> Blocker | None:
    """The session that keeps the most others waiting, one of them for WAIT_SECONDS or longer; None where none does.

    None too where a second look, BETWEEN_LOOKS seconds later, names another session: a row that is written all the
    time has one holder after another.

    Raises: as `looked_at`.
    """
    engine = ENGINES[server]

    def look_twice(ask: Ask) -> Blocker | None:
        first = engine.blocker(ask)
        if first is None:
            return None
        time.sleep(BETWEEN_LOOKS)
        second = engine.blocker(ask)
        return second if second is not None and second.session == first.session else None

    return looked_at(stack, server, seconds, look_twice)


def ending_statement(server: Server, session: str) -> str:
    """The SQL that ends a session; its transaction is rolled back."""
    return ENGINES[server].ending_statement(session)


def is_ours(stack: Stack, server: Server, session: int, seconds: float) -> bool:
    """True where the session is a repair of Lakeproof's own, which ends by itself. Raises: as `looked_at`."""
    return looked_at(stack, server, seconds, lambda ask: ENGINES[server].is_ours(ask, session))


def end_session(stack: Stack, server: Server, session: int, seconds: float) -> bool:
    """End the session; False where it had ended already. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        return ENGINES[server].end_one(ask, session)


def set_most(stack: Stack, most: int, seconds: float) -> int:
    """Set MariaDB's max_connections until its restart; gives the number before. Raises: CouldNotLook."""
    with administrator(stack, "mysql", seconds) as ask:
        before = int(ask("SELECT @@max_connections")[0][0])
        ask(f"SET GLOBAL max_connections = {most:d}")
        return before


def administrator(stack: Stack, server: Server, seconds: float) -> AbstractContextManager[Ask]:
    """A function that asks one statement as the administrator, and gives its rows. Raises: NoneLeft, CouldNotLook."""
    engine = ENGINES[server]
    return engine.session(stack, *engine.ADMINISTRATOR, seconds)
