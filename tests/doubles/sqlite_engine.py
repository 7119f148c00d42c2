"""SQLite in place of MariaDB, PostgreSQL and the lake's engines. The proof's own SQL runs on it, in its dialect."""

import hashlib
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.proof.tables.canonical import microseconds
from lakeproof.proof.tables.dialects import FLINK
from lakeproof.proof.tables.readers import Reader, Rows

# As Flink, SQLite gives a list of digests, whose sum Python takes: the sum of some 60 bits overflows its integers.
SQLITE = replace(
    FLINK,
    quote='"',
    number="CAST({0} AS TEXT)",
    time="CAST(MICROSECONDS({0}) AS TEXT)",
    field="COALESCE(CAST(LENGTH({0}) AS TEXT) || ':' || {0}, '-')",
    digest="SUBSTR(MD5({0}), 1, 15)",
    total="GROUP_CONCAT({0})",
    text_bucket="SUBSTR(MD5({0}), 1, 2)",
)


def connection(schemas: Mapping[str, str]) -> sqlite3.Connection:
    """A connection with these schemas: name → file (":memory:" for one that nobody else sees)."""
    made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    made.create_function("MD5", 1, lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())
    made.create_function("MICROSECONDS", 1, lambda time: None if time is None else microseconds(time))
    for name, file in schemas.items():
        made.execute(f"ATTACH '{file}' AS {name}")
        made.execute(f"PRAGMA {name}.synchronous = OFF")
    return made


def reader(engine: str, of: sqlite3.Connection, schema: str, schemas: Mapping[str, str] | None = None) -> Reader:
    """What a check takes for that engine."""
    one_at_a_time = threading.Lock()

    def ask(sql: str) -> Rows:
        with one_at_a_time:
            return of.execute(sql).fetchall()

    return Reader(engine, SQLITE, ask, schema=schema, schemas=schemas or {})


@cache
def captured(database: str) -> tuple[SqlFile, ...]:
    """The tables of that database's job but for the heartbeat's."""
    return tuple(file for file in load_sql_files(database) if file.table != HEARTBEAT_TABLE)


def create_sources(of: sqlite3.Connection, database: str) -> None:
    """The tables that the SQL files read, as their database has them: a table of events has a key there."""
    for file in captured(database):
        of.execute(f"CREATE TABLE {file.source} ({_columns(file, file.key or ('id',))})")


def create_lake(of: sqlite3.Connection, database: str) -> None:
    """The tables that the SQL files write; one without a key takes a row as often as it comes."""
    for file in captured(database):
        of.execute(f"CREATE TABLE {database}.{file.table} ({_columns(file, file.key)})")


def described(file: SqlFile) -> list[tuple[str, str, bool]]:
    """The table's columns as PostgreSQL tells them: name, type, is it in the primary key?"""
    of_flink = {"INT": "int4", "BIGINT": "int8", "STRING": "text", "DECIMAL": "numeric", "BOOLEAN": "bool"}
    return [
        (column, of_flink.get(kind.partition("(")[0], "timestamptz"), column in (file.key or ("id",)))
        for column, kind in file.columns.items()
    ]


def _columns(file: SqlFile, key: tuple[str, ...]) -> str:
    """A decimal and a time are text here: SQLite would keep neither the scale nor the microseconds."""
    whole = ("INT", "BIGINT", "BOOLEAN")
    listed = [f'"{name}" {"INTEGER" if kind in whole else "TEXT"}' for name, kind in file.columns.items()]
    return ", ".join([*listed, *([f"PRIMARY KEY ({', '.join(key)})"] if key else [])])
