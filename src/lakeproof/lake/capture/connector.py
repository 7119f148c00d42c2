"""The connectors of change capture, one JSON file each in connectors/: what to capture, from where, into which topic.

A file has Kafka Connect's own keys `name` and `config`; beside them stand `engine` (the component that holds the
database), `database`, `tables` (the one list of what is captured: a new table is one line there), `heartbeat` (the
table whose beats measure the delay) and `topic`. A table of PostgreSQL is named with its schema. Words between @
signs are filled in from the stack.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from lakeproof.errors import InvalidInput
from lakeproof.stack.engines.connect import SECRETS_FILE
from lakeproof.stack.stack import Stack
from lakeproof.strict_model import StrictModel

EXACTLY_ONCE = {"exactly.once.support": "required", "transaction.boundary": "poll"}
# The key of a connector's file with the table of signals: a row in it asks the running connector for something.
SIGNALS = "signal.data.collection"
_NAME = r"^[a-z][a-z0-9_-]*$"
_WORD = re.compile(r"@([a-z.]+)@")
# How a file names a table, by the engine.
_TABLES = {"mysql": re.compile(r"^[a-z][a-z0-9_]*$"), "postgres": re.compile(r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")}


class Connector(StrictModel, frozen=True):
    """One connector's file, checked."""

    name: str = Field(pattern=_NAME)
    engine: Literal["mysql", "postgres"] = "mysql"
    database: str = Field(pattern=_NAME)
    heartbeat: str = Field(min_length=1)
    topic: str = Field(min_length=1)
    tables: tuple[str, ...] = Field(min_length=1)
    config: Mapping[str, str]

    @model_validator(mode="after")
    def _tables_fit(self) -> "Connector":
        if len(set(self.tables)) != len(self.tables):
            raise ValueError("tables: one is listed twice")
        if self.heartbeat not in self.tables:
            raise ValueError("heartbeat: not among the tables")
        for table in self.tables:
            if not _TABLES[self.engine].match(table):
                raise ValueError(f"tables: {table!r} is not a plain table name")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The tables as the connector names them, and the lake's SQL files: DATABASE.TABLE, or SCHEMA.TABLE."""
        return tuple(table if "." in table else f"{self.database}.{table}" for table in self.tables)

    @property
    def heartbeat_source(self) -> str:
        """The heartbeat's table among `sources`."""
        return self.sources[self.tables.index(self.heartbeat)]

    @property
    def published(self) -> tuple[str, ...]:
        """What the publication of a PostgreSQL database must list: the captured tables, and the table of signals."""
        return (*self.tables, self.config[SIGNALS])

    @property
    def schemas(self) -> dict[str, str]:
        """The schema of each table, by the table's plain name; empty where the engine knows no schemas."""
        return {table: schema for schema, dot, table in (name.partition(".") for name in self.tables) if dot}


@cache
def connectors() -> Mapping[str, Connector]:
    """Every connector by its name. Raises: InvalidInput naming the file and what is wrong with it."""
    found = {}
    folder = files("lakeproof_shop") / "connectors"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            connector = parse(entry.read_text(encoding="utf-8"), str(entry))
            if connector.name != entry.name.removesuffix(".json"):
                raise InvalidInput(
                    f"its name is {connector.name!r}",
                    where=str(entry),
                    next_action="name the file like the connector",
                )
            found[connector.name] = connector
    return found


def parse(text: str, where: str) -> Connector:
    """One file's text. Raises: InvalidInput."""
    try:
        return Connector.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{key}: {first['msg']}".lstrip(": "), where=where, next_action="correct the file"
        ) from error


# Where [endpoints.mysql] says server = "mysql": MySQL 8, whose binlog Debezium reads by another class.
FOR_MYSQL = {
    "connector.class": "io.debezium.connector.mysql.MySqlConnector",
    "database.ssl.mode": "preferred",
}


def find_connector(name: str) -> Connector:
    """The connector of that name. Raises: InvalidInput that lists the names."""
    known = connectors()
    if name not in known:
        raise InvalidInput(f"no connector {name!r}", next_action=f"one of {', '.join(known)}")
    return known[name]


def secrets_path(stack: Stack) -> str:
    """Where Connect finds the passwords. Of an external Connect: `secrets_file` under [endpoints.connect]."""
    given = stack.settings.endpoints.get("connect", {}).get("secrets_file")
    return given or str(stack.etc_dir("connect") / SECRETS_FILE)


def render(stack: Stack, connector: Connector) -> dict[str, str]:
    """The connector's configuration as Connect takes it; passwords only as references.

    Raises: InvalidInput for a word between @ signs that is not known.
    """
    host, port = stack.host_port(connector.engine, "tcp")
    words = {
        f"{connector.engine}.host": host,
        f"{connector.engine}.port": str(port),
        "kafka": stack.address("kafka", "tcp"),
        "connect.secrets": secrets_path(stack),
        "name": connector.name,
        "database": connector.database,
        "topic": connector.topic,
        "tables": ",".join(connector.sources),
    }

    def fill(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise InvalidInput(
                f"no word @{match[1]}@", where=f"connector {connector.name}", next_action=f"one of {', '.join(words)}"
            )
        return words[match[1]]

    config = {key: _WORD.sub(fill, value) for key, value in connector.config.items()}
    if stack.settings.endpoints.get(connector.engine, {}).get("server") == "mysql":
        config |= FOR_MYSQL
    return config | (EXACTLY_ONCE if stack.settings.capture.exactly_once else {})
