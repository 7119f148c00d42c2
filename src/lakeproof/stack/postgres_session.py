"""Connections to PostgreSQL for code that is not a coroutine, each bounded in time. (Services use asyncpg.)"""

import math
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen

from lakeproof.deadline import Deadline
from lakeproof.errors import TransientError
from lakeproof.stack.stack import Stack

LOCK_SECONDS = 10
# At most this long for connecting. No shorter than the longest question of a diagnosis: a server that is slow is slow
# in connecting above all.
CONNECT_SECONDS = 9.0

# What connecting and each statement may raise. Where the server does not answer: OSError (TimeoutError and
# ConnectionRefusedError among it). Where it answered with an error: psycopg.Error with its `sqlstate`.
TROUBLES = (psycopg.Error, OSError)

# For a refused connection libpq gives the server's text and no SQLSTATE. Here is the SQLSTATE of each text.
_REFUSALS = {
    r"password authentication failed|empty password": "28P01",
    r'role ".*" does not exist|not permitted to log in|pg_hba\.conf': "28000",
    r"permission denied for database": "42501",
    r"too many (clients|connections)|connection slots are reserved": "53300",
    r"the database system is|not (yet )?accepting connections": "57P03",
    r'database ".*" does not exist': "3D000",
}


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection in autocommit. A statement that has not ended by `deadline` raises TimeoutError, also where the
    server is frozen. Statements name their values $1, $2, …
    """

    deadline: Deadline

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """psycopg calls this wherever it waits for the server. Raises: TimeoutError after the deadline."""
        try:
            return super().wait(gen, interval, self.deadline.left)
        except psycopg.OperationalError as error:
            if self.deadline.expired:
                self.close()
                raise TimeoutError(f"no answer within {self.deadline.seconds:g} s") from error
            raise error if error.sqlstate else ConnectionError(str(error)) from error

    def rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        """The rows of one statement; empty where it gives none. A tuple among `args` is an array, as a list is."""
        # psycopg would send a tuple as a composite value, "(a,b)".
        values = [list(value) if isinstance(value, tuple) else value for value in args]
        cursor = self.execute(sql.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def connect(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> Session:
    """A session of one of the accounts, in UTC. Everything done in it has to end within `seconds`, unless the caller
    sets another deadline. (psycopg gives a server at least two seconds to answer when it connects.)

    schema: where plain names are looked for; None: the account's own search path. lock_seconds: how long a statement
    waits for a lock. Raises: TROUBLES.
    """
    host, port = stack.host_port("postgres", "tcp")
    settings = {"timezone": "UTC", "statement_timeout": max(1, round(seconds * 1000))}
    settings |= {"search_path": schema} if schema else {}
    settings |= {"lock_timeout": f"{lock_seconds}s"} if lock_seconds is not None else {}
    deadline = Deadline(seconds)
    try:
        session = Session.connect(
            host=host,
            port=port,
            user=stack.account(secret, user),
            password=stack.secret(secret),
            dbname=database,
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=math.ceil(min(seconds, CONNECT_SECONDS)),
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=psycopg.RawCursor,
        )
    except psycopg.OperationalError as error:
        raise _named(error) from error
    session.deadline = deadline
    return session


@contextmanager
def connection(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> Iterator[Session]:
    """As `connect`, closed after the block."""
    with closing(connect(stack, user, secret, seconds, database, schema, lock_seconds)) as session:
        yield session


@contextmanager
def transient_connection(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str = "postgres",
    schema: str | None = None,
) -> Iterator[Session]:
    """As `connection`, for steps that a person may try again. The block raises TransientError for TROUBLES."""
    try:
        with connection(stack, user, secret, seconds, database, schema) as session:
            yield session
    except TROUBLES as error:
        raise TransientError(f"the database: {type(error).__name__}: {error}", where="postgres") from error


def select(
    stack: Stack,
    user: str,
    secret: str,
    sql: str,
    *args: object,
    seconds: float = 10.0,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> list[tuple[Any, ...]]:
    """The rows of one statement, in a session of its own. Raises: TROUBLES."""
    with connection(stack, user, secret, seconds, database, schema, lock_seconds) as session:
        return session.rows(sql, *args)


def _named(error: psycopg.OperationalError) -> Exception:
    """The failed connection as a more telling error: one with its SQLSTATE, or TimeoutError, ConnectionError."""
    text = str(error)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return TimeoutError(text)
    if "FATAL:" not in text:
        return ConnectionRefusedError(text) if "Connection refused" in text else ConnectionError(text)
    said = text.partition("FATAL:")[2].strip()
    state = next((state for words, state in _REFUSALS.items() if re.search(words, said)), None)
    return psycopg.errors.lookup(state)(said) if state else psycopg.OperationalError(said)
