"""PostgreSQL's publication: of which tables changes come out of the connector's slot.

Provision makes it once; a table is added by `lakeproof capture register` alone, after the table has its reader and
before the connector takes it: what is changed before is read with the rows that were there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture.connector import Connector
from lakeproof.stack.engines import postgres_schema, postgres_session
from lakeproof.stack.stack import Stack

ASK_SECONDS = 15.0
_LISTED = "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1"
_THERE = "SELECT relreplident <> 'f', relkind FROM pg_class WHERE oid = to_regclass($1)"
_KEYED = "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass($1) AND indisprimary)"


def publication_name(connector: Connector) -> str:
    """The publication of a connector, by its file."""
    return connector.config["publication.name"]


def published(stack: Stack, connector: Connector) -> frozenset[str]:
    """The tables in it now, SCHEMA.TABLE; none where there is no such publication. Raises: NotReady."""
    return frozenset(str(row[0]) for row in ask(stack, connector, _LISTED, publication_name(connector)))


def require_tables(stack: Stack, connector: Connector, tables: Iterable[str]) -> None:
    """Raises: InvalidInput for a table that PostgreSQL does not have, or whose rows could not be read by its key."""
    absent = [table for table in tables if not ask(stack, connector, _THERE, table)]
    if absent:
        raise InvalidInput(
            "PostgreSQL has no such table",
            where=", ".join(absent),
            next_action="CREATE TABLE first, then `lakeproof capture register` again",
        )
    bare = [
        table
        for table in tables
        if has_rows(stack, connector, table) and not ask(stack, connector, _KEYED, table)[0][0]
    ]
    if bare:
        raise InvalidInput(
            "it has rows and no primary key, so Debezium cannot read them beside the stream",
            where=", ".join(bare),
            next_action="give it a primary key, then `lakeproof capture register` again",
        )


def has_rows(stack: Stack, connector: Connector, table: str) -> bool:
    """True where it is not empty now. Raises: NotReady."""
    return bool(ask(stack, connector, f"SELECT 1 FROM {table} LIMIT 1"))


def widen(stack: Stack, connector: Connector, tables: Sequence[str]) -> list[str]:
    """Have these tables in it, as superuser, each with its old rows whole; gives those that were added.

    A lock on a new table is waited for ten seconds. Raises: NotReady; InvalidInput without the publication.
    """
    name = publication_name(connector)
    if not ask(stack, connector, "SELECT 1 FROM pg_publication WHERE pubname = $1", name):
        raise InvalidInput(
            f"PostgreSQL has no publication {name}",
            where=connector.name,
            next_action=f"as superuser: CREATE PUBLICATION {name} FOR TABLE …; {connector.name}.json lists them",
        )
    there = published(stack, connector)
    added = [table for table in tables if table not in there]
    for table in added:
        if any(row[0] for row in ask(stack, connector, _THERE, table)):
            ask(stack, connector, f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        ask(stack, connector, f"ALTER PUBLICATION {name} ADD TABLE {table}")
    return added


def ask(stack: Stack, connector: Connector, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """The rows of one statement as superuser, in the connector's database. Raises: NotReady."""
    import asyncpg

    try:
        return postgres_session.select(
            stack,
            postgres_session.ROOT_USER,
            postgres_session.ROOT_SECRET,
            sql,
            *args,
            seconds=ASK_SECONDS,
            database=connector.database,
            lock_seconds=postgres_schema.LOCK_SECONDS,
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError) as error:
        told = " ".join(str(part) for part in error.args) or type(error).__name__
        raise NotReady(told, where="postgres", next_action="lakeproof ps") from error
