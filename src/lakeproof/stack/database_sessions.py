"""The sessions of a database server by account, and an account's limit, which its administrator changes.

When all sessions are taken, both servers still let the administrator in: MariaDB once, PostgreSQL three times. The
health question, the exporter and a probe may want MariaDB's one place at the same moment, each for milliseconds. So
whoever finds it taken tries again until its time is over. While the server is not full the account `reader` counts
the sessions: for that, somebody else's server need not give us its administrator's password.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql, mysql_accounts, postgres_accounts
from lakeproof.stack.engines.postgres_config import NAME as POSTGRES
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.stack import Stack

type Server = Literal["mysql", "postgres"]

# What PostgreSQL says to a login for which it has no place left.
POSTGRES_FULL = "53300"
READER = "reader"
# The account that gets in also where the server is full: (user, secret).
ADMINISTRATORS: Mapping[Server, tuple[str, str]] = {
    "mysql": ("root", "mysql-root"),
    "postgres": (ROOT_USER, ROOT_SECRET),
}
AGAIN_SECONDS = 0.1
NO_SUCH_THREAD = 1094
# How many of a server's max_connections only the administrator may use (PostgreSQL's superuser_reserved_connections).
# MariaDB's place for the administrator is not among its max_connections.
KEPT: Mapping[Server, int] = {"mysql": 0, "postgres": 3}
# An account leaks where its idle sessions are more than this share of all that the server lets in.
LEAK_PERCENT = 50.0
UNLIMITED = 0

MYSQL_IDLE = (
    "SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
_MYSQL_OPEN = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Sleep' AND user = %s"
    " AND id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
)
_POSTGRES_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in transaction%'"
_MYSQL_SESSIONS = """
SELECT user, COUNT(*), SUM(command = 'Sleep') FROM information_schema.processlist
WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler') GROUP BY user"""
_POSTGRES_SESSIONS = """
SELECT usename, count(*), count(*) FILTER (WHERE state LIKE 'idle%') FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename IS NOT NULL GROUP BY usename"""


def own_accounts(stack: Stack, server: Server) -> frozenset[str]:
    """The accounts by which components of this stack log in, and the administrator's; not those of people."""
    accounts = mysql_accounts.ACCOUNTS if server == "mysql" else postgres_accounts.ACCOUNTS
    used = ((one.secret, one.user) for one in accounts if one.user != mysql_accounts.REPORT)
    administrator, secret = ADMINISTRATORS[server]
    return frozenset(stack.account(*each) for each in (*used, (secret, administrator)))


class NoneLeft(CouldNotLook):
    """The server has no session left for who asked."""


@dataclass(frozen=True)
class Held:
    """The sessions of one account; the idle ones among them wait for their client."""

    sessions: int
    idle: int


@dataclass(frozen=True)
class Sessions:
    """All sessions of a server without the one that counts them. most: how many it lets in."""

    most: int
    by_account: Mapping[str, Held]

    @property
    def total(self) -> int:
        """Of all accounts."""
        return sum(held.sessions for held in self.by_account.values())

    @property
    def percent(self) -> float:
        """The share of its sessions that are taken; 100 at most."""
        return min(100.0, round(100 * self.total / self.most, 1))

    @property
    def idlest(self) -> str | None:
        """The account with the most idle sessions; None where no session is idle."""
        idle = {name: held.idle for name, held in self.by_account.items() if held.idle}
        return max(idle, key=lambda name: (idle[name], name)) if idle else None

    @property
    def idle_percent(self) -> float:
        """The idle sessions of that account, of all that the server lets in."""
        return round(100 * self.by_account[self.idlest].idle / self.most, 1) if self.idlest else 0.0

    @property
    def leaking(self) -> str | None:
        """That account, where it holds more than LEAK_PERCENT."""
        return self.idlest if self.idle_percent > LEAK_PERCENT else None


def sessions(stack: Stack, server: Server, seconds: float) -> Sessions:
    """How many sessions each account holds. Raises: as `looked_at`."""

    def count(ask: Ask) -> Sessions:
        most = ask("SELECT @@max_connections" if server == "mysql" else "SHOW max_connections")[0][0]
        rows = ask(_MYSQL_SESSIONS if server == "mysql" else _POSTGRES_SESSIONS)
        return Sessions(int(most), {str(name): Held(int(held), int(idle)) for name, held, idle in rows})

    return looked_at(stack, server, seconds, count)


def looked_at[T](stack: Stack, server: Server, seconds: float, look: Callable[["Ask"], T]) -> T:
    """The result of `look`, which asks the server as `reader`, or as the administrator where the server is full.

    Raises: NoneLeft, where the administrator is refused too or his password is not known; CouldNotLook where the
    server does not answer.
    """
    try:
        with _session(stack, server, READER, f"{server}-{READER}", seconds) as ask:
            return look(ask)
    except NoneLeft:
        if not stack.has_secret(ADMINISTRATORS[server][1]):
            raise
    with administrator(stack, server, seconds) as ask:
        return look(ask)


def limit_of(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """How many sessions the account may have, or UNLIMITED. Raises: CouldNotLook, also for an unknown account."""
    with administrator(stack, server, seconds) as ask:
        if server == "mysql":
            rows = ask("SELECT max_user_connections FROM mysql.user WHERE user = %s", account)
        else:
            rows = ask("SELECT greatest(rolconnlimit, 0) FROM pg_roles WHERE rolname = $1", account)
    if not rows:
        raise CouldNotLook(f"no account {account!r}", where=server)
    return int(rows[0][0])


def limit_statement(server: Server, account: str, sessions: int) -> str:
    """The SQL that limits the account to this many sessions; UNLIMITED takes the limit away."""
    if server == "mysql":
        return f"ALTER USER '{account}'@'{mysql_accounts.HOST}' WITH MAX_USER_CONNECTIONS {sessions}"
    return f"ALTER ROLE {account} CONNECTION LIMIT {sessions or -1}"


def limit(stack: Stack, server: Server, account: str, sessions: int, seconds: float) -> None:
    """Limit the account to this many sessions; sessions that are open already stay. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        if server == "mysql":
            ask("SET SESSION sql_log_bin = 0")  # capture reads the binlog, and has no use for accounts
        ask(limit_statement(server, account, sessions))


def end_idle(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """End the account's idle sessions, but none within a transaction; gives how many. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        if server == "postgres":
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND state = 'idle'"
            return len(ask(ended, account))
        idle = ask(MYSQL_IDLE, account)
        for (thread,) in idle:
            ask(f"KILL CONNECTION {int(thread)}")
        return len(idle)


def idle_in_transaction(stack: Stack, server: Server, account: str, seconds: float) -> int:
    """How many idle sessions of the account `end_idle` spares: those within a transaction. Raises: CouldNotLook."""
    with administrator(stack, server, seconds) as ask:
        return int(ask(_MYSQL_OPEN if server == "mysql" else _POSTGRES_OPEN, account)[0][0])


def set_most(stack: Stack, most: int, seconds: float) -> int:
    """Set MariaDB's max_connections until its restart; gives the number before. Raises: CouldNotLook."""
    with administrator(stack, "mysql", seconds) as ask:
        before = int(ask("SELECT @@max_connections")[0][0])
        ask(f"SET GLOBAL max_connections = {most:d}")
        return before


type Ask = Callable[..., list[tuple[Any, ...]]]


def administrator(stack: Stack, server: Server, seconds: float) -> AbstractContextManager[Ask]:
    """A function that asks one statement as the administrator, and gives its rows. Raises: NoneLeft, CouldNotLook."""
    return _session(stack, server, *ADMINISTRATORS[server], seconds)


def _session(stack: Stack, server: Server, user: str, secret: str, seconds: float) -> AbstractContextManager[Ask]:
    """A function that asks one statement and gives its rows."""
    return (_mysql if server == "mysql" else _postgres)(stack, user, secret, seconds)


@contextmanager
def _mysql(stack: Stack, user: str, secret: str, seconds: float) -> Iterator[Ask]:
    import pymysql

    deadline = Deadline(seconds)
    while True:
        try:
            connection = mysql.connect(stack, user, secret, max(1.0, deadline.left))
            break
        except pymysql.MySQLError as error:
            full = bool(error.args) and error.args[0] == mysql.TOO_MANY
            if not full:
                raise CouldNotLook(f"no answer: {mysql.words(error)}", where="mysql") from error
            if (user, secret) != ADMINISTRATORS["mysql"] or deadline.left < AGAIN_SECONDS:
                raise NoneLeft(f"no session is left for {user}", where="mysql") from error
            deadline.pause(AGAIN_SECONDS)
    with connection, connection.cursor() as cursor:

        def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
            try:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
            except pymysql.MySQLError as error:
                if error.args and error.args[0] == NO_SUCH_THREAD:
                    return []  # it ended by itself meanwhile
                raise CouldNotLook(f"no answer: {mysql.words(error)}", where="mysql") from error

        yield ask


@contextmanager
def _postgres(stack: Stack, user: str, secret: str, seconds: float) -> Iterator[Ask]:
    import psycopg

    from lakeproof.stack.postgres_session import TROUBLES, connection

    try:
        with connection(stack, user, secret, seconds) as session:
            yield session.rows
    except TROUBLES as error:
        if isinstance(error, psycopg.Error) and error.sqlstate == POSTGRES_FULL:
            raise NoneLeft(f"no session is left for {user}", where=POSTGRES) from error
        raise CouldNotLook(f"no answer: {type(error).__name__}: {error}", where=POSTGRES) from error
