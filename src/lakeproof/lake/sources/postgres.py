"""PostgreSQL as a source, by a replication slot. The same functions as mariadb.py; engine.py says what they do.

Statements about accounts run as superuser.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg.errors import InsufficientPrivilege, InvalidAuthorizationSpecification, InvalidPassword

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture import publication
from lakeproof.lake.capture.connector import SIGNALS, Connector
from lakeproof.lake.sources.engine import (
    ASK_SECONDS,
    KEPT_VALUES,
    READER,
    Ask,
    Definition,
    Keep,
    nothing_to_grant,
)
from lakeproof.stack import postgres_session
from lakeproof.stack.engines.postgres_accounts import ACCOUNTS, DATABASE, LOOKING_ON
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.engines.postgres_sessions import OURS, quoted
from lakeproof.stack.postgres_session import Session, select
from lakeproof.stack.stack import Stack

TROUBLES: tuple[type[Exception], ...] = postgres_session.TROUBLES
RESTORES_COLUMNS = False
# To lock a table (which may take ASK_SECONDS), read the values of a column and drop the column.
DROP_SECONDS = 3 * ASK_SECONDS
PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
NO_LOGIN = "not permitted to log in"
_COLUMNS = """
SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
WHERE a.attrelid = ANY(SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
AND a.attnum > 0 AND NOT a.attisdropped
"""
_VALUES = f'SELECT DISTINCT "{{column}}"::text FROM {{table}} WHERE "{{column}}" IS NOT NULL LIMIT {KEPT_VALUES}'
_DEFINITION = """
SELECT format_type(atttypid, atttypmod), NOT attnotnull, atthasdef OR attidentity <> '', attgenerated <> ''
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND attnum > 0 AND NOT attisdropped
"""


def connect(stack: Stack, user: str, seconds: float, database: str) -> Session:
    """As Engine."""
    return postgres_session.connect(stack, user, f"postgres-{user}", seconds, database)


def beat(connection: Session, table: str, seconds: float) -> int:
    """As Engine."""
    connection.deadline = Deadline(seconds)
    ((written,),) = connection.rows(
        f"INSERT INTO {table} AS it (id, beat_us)"
        " VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
        " ON CONFLICT (id) DO UPDATE SET beat_us = excluded.beat_us RETURNING it.beat_us"
    )
    return int(written)


@contextmanager
def at_one_instant(stack: Stack, database: str, seconds: float) -> Iterator[Ask]:
    """As Engine."""
    try:
        session = connect(stack, READER, seconds, database)
    except TROUBLES as error:
        raise CouldNotLook(
            f"no connection: {type(error).__name__}", where="postgres", next_action="lakeproof ps"
        ) from error

    def ask(sql: str) -> Sequence[Sequence[Any]]:
        session.deadline = Deadline(seconds)
        try:
            return session.rows(sql)
        except TROUBLES as error:
            raise CouldNotLook(f"no answer: {type(error).__name__} {error}", where="postgres") from error

    try:
        ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ask("SELECT 1")  # PostgreSQL takes the snapshot at the first statement
        yield ask
    finally:
        session.close()


def described(ask: Ask, schema: str, table: str) -> Sequence[Sequence[Any]]:
    """As Engine."""
    return ask(
        "SELECT a.attname, t.typname, COALESCE(a.attnum = ANY(i.indkey), false) FROM pg_attribute a"
        " JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
        f" WHERE a.attrelid = to_regclass('{schema}.{table}') AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum"
    )


def columns(stack: Stack, connector: Connector, seconds: float) -> dict[str, dict[str, str]]:
    """As Engine, asked by the account `reader`."""
    found: dict[str, dict[str, str]] = {table: {} for table in connector.sources}
    rows = _ask(stack, READER, "postgres-reader", _COLUMNS, list(found), seconds=seconds, database=connector.database)
    for table, column, kind in rows:
        found[table][str(column)] = str(kind).lower()
    return found


def definition(stack: Stack, connector: Connector, table: str, column: str) -> Definition | None:
    """As Engine."""
    asked = (_DEFINITION, table, column)
    rows = _ask(stack, READER, "postgres-reader", *asked, seconds=ASK_SECONDS, database=connector.database)
    return Definition(str(rows[0][0]).lower(), *map(bool, rows[0][1:])) if rows else None


def values_in(stack: Stack, connector: Connector, table: str, column: str) -> list[str]:
    """As Engine."""
    sql = _VALUES.format(column=column, table=table)
    rows = _ask(stack, ROOT_USER, ROOT_SECRET, sql, seconds=ASK_SECONDS, database=connector.database)
    return [str(row[0]) for row in rows]


def drop_column(stack: Stack, connector: Connector, table: str, column: str, keep: Keep) -> None:
    """As Engine."""
    waits = round(ASK_SECONDS)
    try:
        with (
            postgres_session.connection(
                stack, ROOT_USER, ROOT_SECRET, DROP_SECONDS, connector.database, lock_seconds=waits
            ) as session,
            session.transaction(),
        ):
            session.rows(f"SET application_name = '{OURS}'")
            session.rows(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            keep([str(row[0]) for row in session.rows(_VALUES.format(column=column, table=table))])
            session.rows(f'ALTER TABLE {table} DROP COLUMN "{column}"')
    except TROUBLES as error:
        raise NotReady(type(error).__name__, where="postgres", next_action="lakeproof ps") from error


def rename_column(stack: Stack, connector: Connector, table: str, column: str, name: str) -> None:
    """As Engine."""
    sql = f'ALTER TABLE {table} RENAME COLUMN "{column}" TO "{name}"'
    _ask(stack, ROOT_USER, ROOT_SECRET, sql, seconds=ASK_SECONDS, database=connector.database)


def has_rows(stack: Stack, connector: Connector, table: str) -> bool:
    """As Engine."""
    return publication.has_rows(stack, connector, table)


def send_signal(stack: Stack, connector: Connector, name: str, data: str) -> None:
    """As Engine."""
    signals = connector.config[SIGNALS]
    insert = f"INSERT INTO {signals} (id, type, data) VALUES ($1, 'execute-snapshot', $2)"
    publication.ask(stack, connector, insert, name, data)


def accepts(stack: Stack, user: str, seconds: float = ASK_SECONDS) -> bool:
    """As Engine. PostgreSQL checks the password first: an account that is refused because it may not log in, or not
    into this database, gave the right password.
    """
    try:
        select(stack, user, f"postgres-{user}", "SELECT 1", seconds=seconds, database=DATABASE)
    except InsufficientPrivilege:
        return True
    except (InvalidAuthorizationSpecification, InvalidPassword) as error:
        return NO_LOGIN in str(error)
    except TROUBLES as error:
        raise NotReady(type(error).__name__, where="postgres", next_action="lakeproof ps") from error
    return True


def log_lacks(stack: Stack, connector: Connector, seconds: float) -> list[str]:
    """As Engine: what the publication leaves out, and the tables whose old rows the log does not hold whole."""
    return [lack.words for lack in publication.lacks(stack, connector, seconds)]


def log_statements(connector: Connector) -> tuple[str, ...]:
    """As Engine."""
    return publication.whole(connector)


def restore_log(stack: Stack, connector: Connector) -> int:
    """As Engine: gives 0, since the correction counts at once."""
    publication.restore(stack, connector)
    return 0


def account_name(stack: Stack, user: str) -> str:
    """As Engine."""
    secret = next((account.secret for account in ACCOUNTS if account.user == user), f"postgres-{user}")
    return stack.account(secret, user)


def _role(stack: Stack, user: str) -> str:
    """The account's name as an identifier. Unquoted, a name that is not plain is folded, or breaks the statement."""
    name = account_name(stack, user)
    return name if PLAIN_NAME.fullmatch(name) else quoted(name, '"')


def set_password(stack: Stack, user: str, password: str) -> None:
    """As Engine."""
    _as_root(stack, password_statement(stack, user, password))


def password_statement(stack: Stack, user: str, password: str) -> str:
    """As Engine. The password is hex, and so needs no quoting."""
    return f"ALTER ROLE {_role(stack, user)} LOGIN PASSWORD '{password}'"


def grant(stack: Stack, user: str) -> int:
    """As Engine: gives 0, since a privilege counts at once."""
    for statement in grant_statements(stack, user):
        _as_root(stack, statement)
    return 0


def grant_statements(stack: Stack, user: str) -> tuple[str, ...]:
    """As Engine."""
    for account in LOOKING_ON:
        if account.user == user:
            role = _role(stack, user)
            return (
                f"ALTER ROLE {role} LOGIN {account.attributes}".rstrip(),
                f"GRANT CONNECT ON DATABASE {DATABASE} TO {role}",
                *(f"GRANT {group} TO {role}" for group in account.member_of),
            )
    raise nothing_to_grant(user, [account.user for account in LOOKING_ON])


def end_connections(stack: Stack, user: str) -> int:
    """As Engine."""
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"
    return len(_as_root(stack, ending, account_name(stack, user)))


def _as_root(stack: Stack, statement: str, *args: object) -> list[tuple[Any, ...]]:
    return _ask(stack, ROOT_USER, ROOT_SECRET, statement, *args, seconds=ASK_SECONDS)


def _ask(
    stack: Stack, user: str, secret: str, statement: str, *args: object, seconds: float, database: str = "postgres"
) -> list[tuple[Any, ...]]:
    try:
        return select(stack, user, secret, statement, *args, seconds=seconds, database=database)
    except TROUBLES as error:
        # Neither the error's text nor the statement: a password may stand in them.
        raise NotReady(type(error).__name__, where="postgres", next_action="lakeproof ps") from None
