"""PostgreSQL: accounts, the database, its schemas and tables, and the publication for change capture."""

from collections.abc import Iterable
from importlib.resources import files

import psycopg
from psycopg.errors import InvalidPassword

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.source import SHOP
from lakeproof.stack import provisioned
from lakeproof.stack.engines import postgres_accounts as accounts
from lakeproof.stack.engines.postgres_config import NAME, ROOT_SECRET, ROOT_USER
from lakeproof.stack.postgres_session import (
    LOCK_SECONDS,
    TROUBLES,
    Session,
    connection,
)
from lakeproof.stack.stack import Stack

PUBLICATION = "lake"
# Tables that the lake does not read, as a pattern: the old values of their rows need not be written into the WAL.
NOT_CAPTURED = r"outbox|.*\_operations"


def schema_of(service: str) -> str:
    """The SQL of the tables of a service: its outbox, and its own schema.sql."""
    outbox = files("lakeproof_shop.serving") / "outbox.sql"
    own = files("lakeproof_shop.services") / service / "schema.sql"
    return "\n".join(part.read_text(encoding="utf-8") for part in (outbox, own) if part.is_file())


def provision(stack: Stack) -> None:
    """Once ready: accounts, the database, its schemas and tables, and the publication for change capture.

    What exists stays as it is, even with a changed password or a lost grant.
    Raises: TerminalError where root's password is not the one that this server was made with, or its data are of the
    older layout, a database for each service.
    """
    try:
        _provision(stack)
    except InvalidPassword as error:
        raise TerminalError(
            "root's password in secrets.json is not the one that this server was made with",
            where=str(stack.state_dir / "secrets.json"),
            next_action="put the old secrets.json back, or remove the whole stack's state",
        ) from error
    except TROUBLES as error:
        if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.OperationalError):
            raise  # the server refused a statement, and would refuse it again
        raise NotReady(f"provision was cut off: {type(error).__name__} {error}".rstrip(), where=NAME) from error


def _provision(stack: Stack) -> None:
    nobody: frozenset[str] = frozenset()
    definition = provisioned.digest(
        *accounts.account_statements(lambda name: name, nobody),
        *accounts.database_statements(nobody),
        *accounts.schema_statements(),
    )
    if not provisioned.is_made(stack, NAME, "accounts", definition):
        with connection(stack, ROOT_USER, ROOT_SECRET, 30.0) as root:
            databases = _names(root, "SELECT datname FROM pg_database")
            _require_one_database(stack, databases)
            roles = _names(root, "SELECT rolname FROM pg_roles")
            _execute(root, accounts.account_statements(stack.secret, roles))
            _execute(root, accounts.database_statements(databases))
        with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE) as root:
            _execute(root, accounts.schema_statements())
        provisioned.remember(stack, NAME, "accounts", definition)
    for schema in accounts.SCHEMAS:
        with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE, schema) as root:
            _make_tables(root, schema)
    _publish(stack)


def _require_one_database(stack: Stack, databases: frozenset[str]) -> None:
    """Raise for the older layout, one database per service: its rows are neither moved nor left behind in silence."""
    old = sorted(databases.intersection(accounts.SCHEMAS))
    if old and accounts.DATABASE not in databases:
        raise TerminalError(
            f"its data are of an older layout: {', '.join(old)} are databases, and now are schemas of one, "
            f"{accounts.DATABASE}",
            where=str(stack.data_dir(NAME) / "db"),
            next_action="to keep rows, pg_dump them with the older version first; then `lakeproof down`, and remove "
            f"{stack.data_dir(NAME)}: it is made anew",
        )


def _make_tables(root: Session, schema: str) -> None:
    root.rows(f"SET lock_timeout = '{LOCK_SECONDS}s'; SET ROLE {accounts.owner_of(schema).user}")
    root.rows(schema_of(schema))
    # The lake needs a changed row's old values of every column. Only REPLICA IDENTITY FULL puts them into the WAL.
    bare = _names(
        root,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = $2::text::regnamespace"
        " AND relreplident <> 'f' AND relname !~ $1",
        f"^({NOT_CAPTURED})$",
        schema,
    )
    _execute(root, (f"ALTER TABLE {table} REPLICA IDENTITY FULL" for table in sorted(bare)))


def _publish(stack: Stack) -> None:
    """Make the publication, once, with those tables of the connector's file that exist.

    `lakeproof capture register` adds a table that comes later, after it has looked for the table's reader.
    """
    definition = provisioned.digest(PUBLICATION)
    if provisioned.is_made(stack, NAME, "publication", definition):
        return
    with connection(stack, ROOT_USER, ROOT_SECRET, 30.0, accounts.DATABASE) as root:
        if PUBLICATION not in _names(root, "SELECT pubname FROM pg_publication"):
            wanted = find_connector(SHOP.connector).published
            there = _names(
                root, "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NOT NULL", wanted
            )
            listed = ", ".join(table for table in wanted if table in there)
            root.rows(
                f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {listed} WITH (publish = 'insert, update, delete')"
            )
    provisioned.remember(stack, NAME, "publication", definition)


def _names(root: Session, sql: str, *args: object) -> frozenset[str]:
    return frozenset(row[0] for row in root.rows(sql, *args))


def _execute(root: Session, statements: Iterable[str]) -> None:
    for statement in statements:
        root.rows(statement)
