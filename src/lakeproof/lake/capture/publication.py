"""PostgreSQL's publication: the tables whose changes come out of the connector's slot.

Provision makes the publication once. A table is added by `lakeproof capture register` alone, after the lake's job
reads the table and before the connector captures it. Changes from before that come with the table's existing rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture import registered
from lakeproof.lake.capture.connector import SIGNALS, Connector
from lakeproof.stack.engines.postgres_accounts import SIGNAL_COLUMNS
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.stack import Stack

ASK_SECONDS = 15.0
# The key of a connector's file with its publication. A connector without one follows a log that has every table.
NAME = "publication.name"
_LISTED = "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1"
# For each table that is to be in the publication, and exists: is it listed, is it published with all of its rows and
# columns, and does the log have whole old rows? The second is read as JSON, since older servers lack these fields.
_LACKS = """
SELECT t.name, p.tablename IS NOT NULL, to_jsonb(p) ->> 'rowfilter' IS NULL AND (to_jsonb(p) -> 'attnames' IS NULL
  OR jsonb_array_length(to_jsonb(p) -> 'attnames') >= (SELECT count(*) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')), c.relreplident = 'f'
FROM unnest($2::text[]) AS t(name) JOIN pg_class c ON c.oid = to_regclass(t.name)
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_publication_tables p ON p.pubname = $1 AND p.schemaname = n.nspname AND p.tablename = c.relname
ORDER BY t.name
"""
_WITH = "WITH (publish = 'insert, update, delete')"
_PUBLISHES = "SELECT pubinsert, pubupdate, pubdelete FROM pg_publication WHERE pubname = $1"
_THERE = "SELECT relreplident <> 'f', relkind FROM pg_class WHERE oid = to_regclass($1)"


def publication_name(connector: Connector) -> str:
    """The publication of a connector, by its file."""
    return connector.config[NAME]


def published(stack: Stack, connector: Connector) -> frozenset[str]:
    """The publication's tables now, SCHEMA.TABLE; none where there is no such publication. Raises: NotReady."""
    if NAME not in connector.config:
        return frozenset()
    return frozenset(str(row[0]) for row in look_up(stack, connector, _LISTED, publication_name(connector)))


def has_rows(stack: Stack, connector: Connector, table: str) -> bool:
    """True where the table is not empty now. Raises: NotReady."""
    return bool(look_up(stack, connector, f"SELECT 1 FROM {table} LIMIT 1"))


@dataclass(frozen=True)
class Lack:
    """Something that keeps changes, or parts of rows, out of the publication. table: whose changes; "" for all."""

    kind: Literal["publication", "operations", "table", "part", "old rows"]
    table: str = ""

    @property
    def words(self) -> str:
        """The lack in one line."""
        return {
            "publication": "no publication",
            "operations": "publishes not every operation",
            "table": f"{self.table}: not published",
            "part": f"{self.table}: published in part",
            "old rows": f"{self.table}: old rows not whole",
        }[self.kind]


def lacks(stack: Stack, connector: Connector, seconds: float = ASK_SECONDS) -> list[Lack]:
    """What the publication lacks of what the connector was registered with. Raises: NotReady."""
    name = publication_name(connector)
    publishes = look_up(stack, connector, _PUBLISHES, name, seconds=seconds)
    if not publishes:
        return [Lack("publication")]
    found = [] if all(publishes[0]) else [Lack("operations")]
    # A table that only a newer file lists is not captured yet, so that its absence is nobody's change.
    captured = registered.tables(registered.as_registered(stack, connector))
    wanted = [*captured, connector.config[SIGNALS]]
    for table, listed, whole, old_rows in look_up(stack, connector, _LACKS, name, wanted, seconds=seconds):
        if not listed:
            found.append(Lack("table", table))
        elif not whole:
            found.append(Lack("part", table))
        if table in captured and not old_rows:
            found.append(Lack("old rows", table))
    return found


def restore(stack: Stack, connector: Connector) -> None:
    """Correct what `lacks` lists, as superuser; other published tables stay. Safe to repeat, also when cut off.

    A publication that is gone is made anew with the tables that the connector was registered with. Raises: NotReady.
    """
    if Lack("publication") in lacks(stack, connector):
        captured = registered.tables(registered.as_registered(stack, connector))
        tables = ", ".join((*captured, connector.config[SIGNALS]))
        ask(stack, connector, f"CREATE PUBLICATION {publication_name(connector)} FOR TABLE {tables} {_WITH}")
    for lack in lacks(stack, connector):
        for statement in _mending(connector, lack):
            ask(stack, connector, statement)


def whole(connector: Connector) -> tuple[str, ...]:
    """The SQL by which a person makes the publication what the connector's file needs, and nothing more."""
    name = publication_name(connector)
    return (
        _operations(name),
        f"ALTER PUBLICATION {name} SET TABLE {', '.join(connector.published)}",
        *(_old_rows(table) for table in connector.tables),
    )


def _mending(connector: Connector, lack: Lack) -> tuple[str, ...]:
    name = publication_name(connector)
    match lack.kind:
        case "publication":
            return ()
        case "operations":
            return (_operations(name),)
        case "table":
            return (_add(name, lack.table),)
        case "part":
            return (f"ALTER PUBLICATION {name} DROP TABLE {lack.table}", _add(name, lack.table))
        case "old rows":
            return (_old_rows(lack.table),)


def _operations(name: str) -> str:
    return f"ALTER PUBLICATION {name} SET (publish = 'insert, update, delete')"


def _add(name: str, table: str) -> str:
    return f"ALTER PUBLICATION {name} ADD TABLE {table}"


def _old_rows(table: str) -> str:
    return f"ALTER TABLE {table} REPLICA IDENTITY FULL"


def _without(connector: Connector) -> InvalidInput:
    name = publication_name(connector)
    return InvalidInput(
        f"PostgreSQL has no publication {name}",
        where=connector.name,
        next_action=f"as superuser: CREATE PUBLICATION {name} FOR TABLE …; {connector.name}.json lists them",
    )


def widen(stack: Stack, connector: Connector, tables: Sequence[str]) -> list[str]:
    """Add the tables that the publication lacks, as superuser, each with its old rows whole; gives those added.

    Where none is missing no superuser is needed. A lock on a new table is waited for ten seconds.
    Raises: NotReady; InvalidInput with the SQL to run, without the publication, without the table of signals, or
    where tables are missing in it and this stack was not given the superuser's password.
    """
    if NAME not in connector.config:
        return []
    name = publication_name(connector)
    if not look_up(stack, connector, "SELECT 1 FROM pg_publication WHERE pubname = $1", name):
        raise _without(connector)
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
    """Called before these tables' rows are asked for by a row in the table of signals, which the superuser writes.

    Raises: InvalidInput where there are such rows and no superuser's password; NotReady.
    """
    if NAME in connector.config and any(has_rows(stack, connector, table) for table in tables):
        stack.secret(ROOT_SECRET)


def _making(signals: str) -> tuple[str, ...]:
    schema = signals.partition(".")[0]
    return (f"CREATE SCHEMA IF NOT EXISTS {schema}", f"CREATE TABLE {signals} ({SIGNAL_COLUMNS})")


def _adding(stack: Stack, connector: Connector, table: str) -> Iterator[str]:
    if any(row[0] for row in look_up(stack, connector, _THERE, table)):
        yield _old_rows(table)
    yield _add(publication_name(connector), table)


def look_up(
    stack: Stack, connector: Connector, sql: str, *args: object, seconds: float = ASK_SECONDS
) -> list[tuple[Any, ...]]:
    """The rows of one question as `reader`, in the connector's database. Raises: NotReady."""
    return _select(stack, connector, "reader", "postgres-reader", sql, args, seconds)


def ask(stack: Stack, connector: Connector, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """The rows of one statement as superuser, in the connector's database. Raises: NotReady."""
    return _select(stack, connector, ROOT_USER, ROOT_SECRET, sql, args, ASK_SECONDS)


def _select(
    stack: Stack, connector: Connector, user: str, secret: str, sql: str, args: tuple[object, ...], seconds: float
) -> list[tuple[Any, ...]]:
    from lakeproof.stack import postgres_session

    try:
        return postgres_session.select(
            stack,
            user,
            secret,
            sql,
            *args,
            seconds=seconds,
            database=connector.database,
            lock_seconds=postgres_session.LOCK_SECONDS,
        )
    except postgres_session.TROUBLES as error:
        told = " ".join(str(part) for part in error.args) or type(error).__name__
        raise NotReady(told, where="postgres", next_action="lakeproof ps") from error
