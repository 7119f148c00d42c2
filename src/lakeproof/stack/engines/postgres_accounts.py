"""Who may do what in PostgreSQL: one schema and one owner for each service, and those that watch or read all of them.

One database for all, because a connector, its slot and its transactions end at a database (decision 5).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

DATABASE = "shop"
# A schema for each service, whose tables are in lakeproof/shop/NAME/schema.sql.
SCHEMAS = ("payment", "fulfillment", "support", "notification")
# A schema of the platform: `ticker` writes the heartbeat there, and the superuser the signals to a connector.
CAPTURE_SCHEMA = "capture"
HEARTBEAT = "cdc_heartbeat"
# A row here asks a running connector for something (lake/capture/backfill.py). Debezium wants these three columns.
SIGNAL = "cdc_signal"
SIGNAL_COLUMNS = "id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048)"


@dataclass(frozen=True)
class Account:
    """One role that may log in: its password's name among the stack's secrets, its attributes, its memberships."""

    user: str
    secret: str
    attributes: str = ""
    member_of: tuple[str, ...] = ()


def owner_of(schema: str) -> Account:
    """The service's own account: it owns its schema and may do nothing elsewhere."""
    return Account(f"{schema}_service", f"postgres-{schema}-service")


# `cdc` is what Debezium needs to snapshot and to follow a slot; it does not write. The publication is made for it.
LOOKING_ON = (
    Account("cdc", "postgres-cdc", "REPLICATION", ("pg_read_all_data",)),
    Account("exporter", "postgres-exporter", "", ("pg_monitor",)),
    Account("reader", "postgres-reader", "", ("pg_read_all_data", "pg_read_all_stats")),
)
TICKER = Account("ticker", "postgres-ticker")
# For people who make reports by hand; no part of the stack uses it. MariaDB has an account of the same name.
REPORT = Account("report", "postgres-report", "", ("pg_read_all_data",))
ACCOUNTS = (*(owner_of(schema) for schema in SCHEMAS), *LOOKING_ON, TICKER, REPORT)


def account_statements(secret: Callable[[str], str], existing: frozenset[str]) -> Iterator[str]:
    """The SQL that makes every account with its memberships; safe to repeat, an existing password stays as it is.

    `secret` gives a password by its name; passwords are hex, so they need no quoting. `existing`: the roles there.
    """
    for account in ACCOUNTS:
        if account.user not in existing:
            yield f"CREATE ROLE {account.user} LOGIN PASSWORD '{secret(account.secret)}' {account.attributes}".strip()
        for group in account.member_of:
            yield f"GRANT {group} TO {account.user}"


def database_statements(existing: frozenset[str]) -> Iterator[str]:
    """The SQL that makes the database, for ACCOUNTS and nobody else; safe to repeat. `existing`: databases there."""
    if DATABASE not in existing:
        yield f"CREATE DATABASE {DATABASE}"
    yield f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC"
    yield f"GRANT CONNECT ON DATABASE {DATABASE} TO {', '.join(account.user for account in ACCOUNTS)}"


def schema_statements() -> Iterator[str]:
    """The SQL, run in DATABASE, that makes the schemas; safe to repeat. A service's search path is its own schema."""
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC"
    for schema in SCHEMAS:
        owner = owner_of(schema).user
        yield f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}"
        yield f"ALTER ROLE {owner} IN DATABASE {DATABASE} SET search_path = {schema}"
    heartbeat = f"{CAPTURE_SCHEMA}.{HEARTBEAT}"
    yield f"CREATE SCHEMA IF NOT EXISTS {CAPTURE_SCHEMA}"
    yield f"CREATE TABLE IF NOT EXISTS {heartbeat} (id integer PRIMARY KEY, beat_us bigint NOT NULL)"
    yield f"ALTER TABLE {heartbeat} REPLICA IDENTITY FULL"
    yield f"CREATE TABLE IF NOT EXISTS {CAPTURE_SCHEMA}.{SIGNAL} ({SIGNAL_COLUMNS})"
    yield f"GRANT USAGE ON SCHEMA {CAPTURE_SCHEMA} TO {TICKER.user}"
    yield f"GRANT SELECT, INSERT, UPDATE ON {heartbeat} TO {TICKER.user}"
