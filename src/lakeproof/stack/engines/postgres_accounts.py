"""Who may do what in PostgreSQL: one database and one owner for each service, and those who look over all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# One database each; its schema lies beside the service (lakeproof/shop/NAME/schema.sql) where that is built.
DATABASES = ("payment", "fulfillment", "support", "notification")


@dataclass(frozen=True)
class Account:
    """One role that may log in: its password's name among the stack's secrets, its attributes, its memberships."""

    user: str
    secret: str
    attributes: str = ""
    member_of: tuple[str, ...] = ()


def owner_of(database: str) -> Account:
    """The service's own account: it owns its database and may do nothing elsewhere."""
    return Account(f"{database}_service", f"postgres-{database}-service")


# `cdc` is what Debezium needs to snapshot and to follow a slot; it does not write. The publication is made for it.
LOOKING_ON = (
    Account("cdc", "postgres-cdc", "REPLICATION", ("pg_read_all_data",)),
    Account("exporter", "postgres-exporter", "", ("pg_monitor",)),
    Account("reader", "postgres-reader", "", ("pg_read_all_data", "pg_read_all_stats")),
)
ACCOUNTS = (*(owner_of(database) for database in DATABASES), *LOOKING_ON)


def account_statements(secret: Callable[[str], str], existing: frozenset[str]) -> Iterator[str]:
    """The SQL that makes every account with its memberships; safe to repeat, an existing password stays as it is.

    `secret` gives a password by its name; passwords are hex, so they need no quoting. `existing`: names of roles.
    """
    for account in ACCOUNTS:
        if account.user not in existing:
            yield f"CREATE ROLE {account.user} LOGIN PASSWORD '{secret(account.secret)}' {account.attributes}".strip()
        for group in account.member_of:
            yield f"GRANT {group} TO {account.user}"


def database_statements(existing: frozenset[str]) -> Iterator[str]:
    """The SQL that makes every database, for its owner and those who look on, nobody else; safe to repeat."""
    lookers = ", ".join(account.user for account in LOOKING_ON)
    for database in DATABASES:
        if database not in existing:
            yield f"CREATE DATABASE {database} OWNER {owner_of(database).user}"
        yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"
        yield f"GRANT CONNECT ON DATABASE {database} TO {lookers}"
