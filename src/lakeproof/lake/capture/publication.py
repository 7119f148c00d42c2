"""PostgreSQL's publication: of which tables changes come out of the connector's slot.

Provision makes it once; a table is added by `lakeproof capture register` alone, after the table has its reader and
before the connector takes it: what is changed before is read with the rows that were there.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture.connector import SIGNALS, Connector
from lakeproof.stack.engines.postgres_accounts import SIGNAL_COLUMNS
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.stack import Stack

ASK_SECONDS = 15.0
# The key of a connector's file with the name of its publication. One without it follows a log that has every table.
NAME = "publication.name"
_LISTED = "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1"
_THERE = "SELECT relreplident <> 'f', relkind FROM pg_class WHERE oid = to_regclass($1)"


def publication_name(connector: Connector) -> str:
    """The publication of a connector, by its file."""
    return connector.config[NAME]


def published(stack: Stack, connector: Connector) -> frozenset[str]:
    """The tables in it now, SCHEMA.TABLE; none where there is no such publication. Raises: NotReady."""
    if NAME not in connector.config:
        return frozenset()
    return frozenset(str(row[0]) for row in look_up(stack, connector, _LISTED, publication_name(connector)))


def has_rows(stack: Stack, connector: Connector, table: str) -> bool:
    """True where it is not empty now. Raises: NotReady."""
    return bool(look_up(stack, connector, f"SELECT 1 FROM {table} LIMIT 1"))


def widen(stack: Stack, connector: Connector, tables: Sequence[str]) -> list[str]:
    """Have these tables in it, as superuser, each with its old rows whole; gives those that were added.

    Only what is missing needs the superuser. A lock on a new table is waited for ten seconds.
    Raises: NotReady; InvalidInput with the SQL to run, without the publication, without the table of signals, or
    where tables are missing in it and this stack was not given the superuser's password.
    """
    if NAME not in connector.config:
        return []
    name = publication_name(connector)
    if not look_up(stack, connector, "SELECT 1 FROM pg_publication WHERE pubname = $1", name):
        raise InvalidInput(
            f"PostgreSQL has no publication {name}",
            where=connector.name,
            next_action=f"as superuser: CREATE PUBLICATION {name} FOR TABLE …; {connector.name}.json lists them",
        )
    there = published(stack, connector)
    added = [table for table in tables if table not in there]
    if not added:
        return []
    signals = connector.config[SIGNALS]
    unmade = signals in added and not look_up(stack, connector, _THERE, signals)
    statements = [
        *(_making(signals) if unmade else ()),
        *(statement for table in added for statement in _adding(stack, connector, table)),
    ]
    if unmade or not stack.has_secret(ROOT_SECRET):
        raise InvalidInput(
            f"the publication {name} does not list {', '.join(added)}",
            where=connector.name,
            next_action=f"as superuser in database {connector.database}: {'; '.join(statements)}; then this again",
        )
    for statement in statements:
        ask(stack, connector, statement)
    return added


def require_signals(stack: Stack, connector: Connector, tables: Iterable[str]) -> None:
    """Rows that these tables have are asked for by a row in the table of signals, which the superuser writes.

    Raises: InvalidInput where there are such rows and no superuser's password; NotReady.
    """
    if NAME in connector.config and any(has_rows(stack, connector, table) for table in tables):
        stack.secret(ROOT_SECRET)


def _making(signals: str) -> tuple[str, ...]:
    schema = signals.partition(".")[0]
    return (f"CREATE SCHEMA IF NOT EXISTS {schema}", f"CREATE TABLE {signals} ({SIGNAL_COLUMNS})")


def _adding(stack: Stack, connector: Connector, table: str) -> Iterator[str]:
    if any(row[0] for row in look_up(stack, connector, _THERE, table)):
        yield f"ALTER TABLE {table} REPLICA IDENTITY FULL"
    yield f"ALTER PUBLICATION {publication_name(connector)} ADD TABLE {table}"


def look_up(stack: Stack, connector: Connector, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """The rows of one question as `reader`, in the connector's database. Raises: NotReady."""
    return _select(stack, connector, "reader", "postgres-reader", sql, args)


def ask(stack: Stack, connector: Connector, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """The rows of one statement as superuser, in the connector's database. Raises: NotReady."""
    return _select(stack, connector, ROOT_USER, ROOT_SECRET, sql, args)


def _select(
    stack: Stack, connector: Connector, user: str, secret: str, sql: str, args: tuple[object, ...]
) -> list[tuple[Any, ...]]:
    from lakeproof.stack import postgres_session

    try:
        return postgres_session.select(
            stack,
            user,
            secret,
            sql,
            *args,
            seconds=ASK_SECONDS,
            database=connector.database,
            lock_seconds=postgres_session.LOCK_SECONDS,
        )
    except postgres_session.TROUBLES as error:
        told = " ".join(str(part) for part in error.args) or type(error).__name__
        raise NotReady(told, where="postgres", next_action="lakeproof ps") from error
