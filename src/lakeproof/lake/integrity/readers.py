"""Each engine as a source of digests, rows and broken claims; all of one reader see one instant of the data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pymysql

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.integrity.across import across_sql
from lakeproof.lake.integrity.buckets import Digests, from_rows
from lakeproof.lake.integrity.canonical import TABLES
from lakeproof.lake.integrity.dialects import Dialect, Flink, MariaDb, Trino, digests_sql, rows_sql
from lakeproof.lake.publish.history import PublishedCommit
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.query.flink import pinned_flink
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.stack.stack import Stack

SCHEMA = "oltp"
READER = "reader"
# Past so many ranges one scan over all of them is cheaper than to name each.
MOST_RANGES = 200

LARGEST_SQL = (
    "SELECT COALESCE(MAX(id), 0) FROM ("
    + " UNION ALL ".join(f"SELECT MAX({table.order_column}) AS id FROM {SCHEMA}.{table.name}" for table in TABLES)
    + ") AS ids"
)

type Rows = Sequence[Sequence[Any]]


class Reader(Protocol):
    """One engine at one instant. Every method raises CouldNotLook or StatementFailed where there is no answer."""

    @property
    def engine(self) -> str:
        """Its name in the report."""

    def largest_order_id(self) -> int:
        """The largest order id in any table."""

    def digests(self, width: int) -> Digests:
        """Of every table, by bucket."""

    def rows(self, ranges: list[tuple[int, int]]) -> Mapping[str, Rows]:
        """Canonical values per table of the orders with ids in these ranges."""

    def broken(self) -> Rows:
        """What `across_sql` gives."""


def all_digests_sql(dialect: Dialect, width: int) -> str:
    """One statement for all tables."""
    parts = []
    for table in TABLES:
        inner = digests_sql(dialect, table, f"{SCHEMA}.{table.name}", width)
        parts.append(f"SELECT '{table.name}' AS table_name, d.* FROM ({inner}) AS d")
    return " UNION ALL ".join(parts)


def _digests(dialect: Dialect, rows: Rows) -> Digests:
    """What an engine answered to `all_digests_sql`."""
    return from_rows(
        (str(table), int(bucket), int(count), dialect.sum_of(full), dialect.sum_of(identity))
        for table, bucket, count, full, identity in rows
    )


def _few(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return ranges if len(ranges) <= MOST_RANGES else [(ranges[0][0], ranges[-1][1])]


class MariaDbReader:
    """The shop's database in one transaction: all its answers are of the same instant."""

    engine = "mysql"

    def __init__(self, connection: "pymysql.connections.Connection[Any]") -> None:
        self._connection = connection

    def begin(self) -> None:
        """Take the snapshot. Raises: CouldNotLook."""
        self.ask("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def largest_order_id(self) -> int:
        """The largest order id in any table."""
        return int(self.ask(LARGEST_SQL)[0][0])

    def digests(self, width: int) -> Digests:
        """As Reader."""
        return _digests(MariaDb(), self.ask(all_digests_sql(MariaDb(), width)))

    def rows(self, ranges: list[tuple[int, int]]) -> Mapping[str, Rows]:
        """As Reader."""
        return {
            table.name: self.ask(rows_sql(MariaDb(), table, f"{SCHEMA}.{table.name}", _few(ranges)))
            for table in TABLES
        }

    def broken(self) -> Rows:
        """As Reader."""
        return self.ask(across_sql(SCHEMA))

    def ask(self, sql: str) -> Rows:
        """All rows of a statement. Raises: CouldNotLook."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error as error:
            raise CouldNotLook(f"no answer: {error.args[-1]}", where="mysql") from error


@contextmanager
def mariadb_snapshot(stack: Stack, seconds: float) -> Iterator[MariaDbReader]:
    """A reader whose snapshot is taken now. Raises: CouldNotLook."""
    host, port = stack.host_port("mysql")
    try:
        connection = pymysql.connect(
            host=host,
            port=port,
            user=READER,
            password=stack.secret(f"mysql-{READER}"),
            charset="utf8mb4",
            connect_timeout=5,
            read_timeout=seconds,
            init_command="SET SESSION time_zone = '+00:00'",
        )
    except pymysql.Error as error:
        raise CouldNotLook(f"no connection: {error.args[-1]}", where="mysql", next_action="lakeproof ps") from error
    try:
        reader = MariaDbReader(connection)
        reader.begin()
        yield reader
    finally:
        connection.close()


@dataclass(frozen=True)
class LakeReader:
    """The lake at one published hash, through an engine; `run` answers a statement at that hash."""

    engine: str
    dialect: Dialect
    run: Callable[[str, Deadline], Answer]
    deadline: Deadline

    def largest_order_id(self) -> int:
        """As Reader."""
        return int(self.run(LARGEST_SQL, self.deadline).rows[0][0])

    def digests(self, width: int) -> Digests:
        """As Reader."""
        return _digests(self.dialect, self.run(all_digests_sql(self.dialect, width), self.deadline).rows)

    def rows(self, ranges: list[tuple[int, int]]) -> Mapping[str, Rows]:
        """As Reader."""
        statements = [rows_sql(self.dialect, table, f"{SCHEMA}.{table.name}", _few(ranges)) for table in TABLES]
        with ThreadPoolExecutor(len(statements)) as pool:
            answers = list(pool.map(lambda sql: self.run(sql, self.deadline), statements))
        return {table.name: answer.rows for table, answer in zip(TABLES, answers, strict=True)}

    def broken(self) -> Rows:
        """As Reader."""
        return self.run(across_sql(SCHEMA), self.deadline).rows


@contextmanager
def lake_reader(
    stack: Stack, engine: str, commit: PublishedCommit, seconds: float, progress: Callable[[str], None]
) -> Iterator[LakeReader]:
    """The lake at that hash through `engine`. Raises: CouldNotLook, StatementFailed."""
    deadline = Deadline(seconds)
    if engine == "trino":
        with pinned_trino(stack, commit, deadline) as trino:
            yield LakeReader(engine, Trino(), trino.run, deadline)
    else:
        with pinned_flink(stack, commit, deadline, progress) as flink:
            yield LakeReader(engine, Flink(), flink.run, deadline)
