"""What a tenant says of its databases: names, SQL files and accounts. The engines' modules make SQL of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SERVERS = {"mysql": "MariaDB", "postgres": "PostgreSQL"}


@dataclass(frozen=True)
class Account:
    """A login: its user, its password's name among the stack's secrets, and (privileges, on what)."""

    user: str
    secret: str
    grants: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Database:
    """One captured database. Each engine holds at most one of a tenant's.

    name: of the database, of its lake database and of its Nessie namespace.
    engine: the component that holds it.
    connector: its name in Kafka Connect, and of its file connectors/NAME.json.
    exporter: the component that writes its heartbeats and measures its delay.
    capture: the component that stands for its capture; None: it is always captured.
    first: True for the one database that every published commit holds a state of. In scripts, reports and dashboards
    its names have no prefix.
    pause, idle_pause: the settings under [lake] with the wanted seconds between two checkpoints of its job, while
    rows come and while none do.
    table_options: Paimon's options for the lake tables of this database alone.
    schemas: schema → its SQL files, as paths below the tenant's package. MariaDB knows one schema, the database. In
    PostgreSQL each schema is owned by an account SCHEMA_service, whose password is the secret
    postgres-SCHEMA-service.
    accounts: MariaDB's accounts beside those of the platform.
    changes: what a database made by an earlier version lacks: (a query that finds the change, the statement that
    makes it). Each is one ALTER, run only where it is needed, since every ALTER goes through the log to capture.
    used_by: the tenant's components that keep their tables in it.
    """

    name: str
    engine: Literal["mysql", "postgres"]
    connector: str
    exporter: str = "lag-exporter"
    capture: str | None = None
    first: bool = False
    pause: str = "checkpoint_seconds"
    idle_pause: str = "idle_checkpoint_seconds"
    table_options: Mapping[str, str] = field(default_factory=dict, hash=False)
    schemas: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    accounts: tuple[Account, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    used_by: tuple[str, ...] = ()

    @property
    def server(self) -> str:
        """The engine's name for people."""
        return SERVERS[self.engine]

    @property
    def topic(self) -> str:
        """The topic of its changes and transaction markers."""
        return f"cdc.{self.name}"


@dataclass(frozen=True)
class Keyspace:
    """A keyspace of Cassandra: its name, and its CQL files as paths below the tenant's package."""

    name: str
    files: tuple[str, ...]
