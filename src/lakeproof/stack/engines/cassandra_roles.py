"""Who may do what in Cassandra: one role per part of the stack, none with more than it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

SUPERUSER = "lakeproof"
SUPERUSER_SECRET = "cassandra-root"
# The superuser that every new cluster comes with. Provision takes its login away once ours is there.
FACTORY_ROLE = "cassandra"


@dataclass(frozen=True)
class Role:
    """One role: its password's name among the stack's secrets, and (permission, on what)."""

    name: str
    secret: str
    grants: tuple[tuple[str, str], ...]


ROLES = (
    Role(
        "inventory_service",
        "cassandra-inventory-service",
        (("SELECT", "KEYSPACE inventory"), ("MODIFY", "KEYSPACE inventory")),
    ),
    Role(
        "projector",
        "cassandra-projector",
        (("SELECT", "KEYSPACE projections"), ("MODIFY", "KEYSPACE projections")),
    ),
    Role("support_service", "cassandra-support-service", (("SELECT", "KEYSPACE projections"),)),
    Role("reader", "cassandra-reader", (("SELECT", "KEYSPACE inventory"), ("SELECT", "KEYSPACE projections"))),
)

# Roles that older versions made and this one drops.
FORMER_ROLES = ("exporter",)

# Role → the name of its password among the stack's secrets.
SECRETS = {role.name: role.secret for role in ROLES} | {SUPERUSER: SUPERUSER_SECRET}


def statements(secret: Callable[[str], str]) -> Iterator[str]:
    """The CQL that makes every role with its grants; safe to repeat, an existing password stays as it is.

    `secret` gives a password by its name; passwords are hex, so they need no quoting.
    """
    for name in FORMER_ROLES:
        yield f"DROP ROLE IF EXISTS {name}"
    for role in ROLES:
        yield f"CREATE ROLE IF NOT EXISTS {role.name} WITH LOGIN = true AND PASSWORD = '{secret(role.secret)}'"
        for permission, resource in role.grants:
            yield f"GRANT {permission} ON {resource} TO {role.name}"
