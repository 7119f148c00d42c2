"""Reads digests, rows and broken claims from each engine; all answers of one reader are of one instant."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.query.flink import pinned_flink
from lakeproof.lake.query.spark import pinned_spark
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.proof.tables.buckets import Digest, Digests
from lakeproof.proof.tables.canonical import TABLES, Table
from lakeproof.proof.tables.dialects import FLINK, MARIADB, POSTGRES, SPARK, TRINO, Dialect, digests_sql, rows_sql
from lakeproof.proof.tables.ranges import OF_NULL, Ranges
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.order_claims import across_sql

# The database that the ledger knows.
OF_LEDGER = OLTP
SCHEMA, DATABASE = OF_LEDGER.name, OF_LEDGER.engine
_OF_ENGINE = {"mysql": MARIADB, "postgres": POSTGRES}
# A statement may take this many times as long as the longest one before it.
SLOWER_AT_MOST = 3.0
# With more ranges than this, one scan from the first to the last is cheaper than a condition for each.
MOST_RANGES = 200

type Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Reader:
    """One engine at one instant.

    ask: runs a statement, and gives all its rows. at_once: how many statements may run in parallel (a database
    connection takes one).
    schema: the schema of its tables. schemas: table → schema, in a database that has several.
    Every method raises CouldNotLook or StatementFailed where there is no answer.
    """

    engine: str
    dialect: Dialect
    ask: Callable[[str], Rows]
    at_once: int = 1
    schema: str = SCHEMA
    schemas: Mapping[str, str] = field(default_factory=dict)

    def largest(self, tables: Sequence[Table] = TABLES) -> int:
        """The largest value of the tables' `order_column`; 0 where all have text keys."""
        tables = [table for table in tables if not table.has_text_key]
        if not tables:
            return 0
        ids = " UNION ALL ".join(
            f"SELECT MAX({self.dialect.quoted(table.order_column)}) AS id FROM {self._source(table)}"
            for table in tables
        )
        return int(self.ask(f"SELECT COALESCE(MAX(id), 0) FROM ({ids}) AS ids")[0][0])

    def digests(self, width: int, tables: Sequence[Table] = TABLES) -> Digests:
        """The digests of these tables in the reader's schema, by bucket."""
        return self.digests_of([Group(self.schema, tables, width)])[0]

    def digests_of(self, groups: Sequence["Group"]) -> list[Digests]:
        """The digests of every table of these groups, by bucket, in one statement: a statement's fixed cost is more
        than what most tables cost.
        """
        wanted = [
            (f"{place}.{table.name}", table, self._source(table, group.schema), group.width)
            for place, group in enumerate(groups)
            for table in group.tables
        ]
        found: list[dict[str, dict[int, Digest]]] = [{table.name: {} for table in group.tables} for group in groups]
        with_text_keys = {name for name, table, _, _ in wanted if table.has_text_key}
        for name, bucket, count, *sums in self.ask(digests_sql(self.dialect, wanted)) if wanted else ():
            place, _, table_name = str(name).partition(".")
            number = OF_NULL if bucket is None else int(str(bucket), 16 if name in with_text_keys else 10)
            digest = Digest(int(count), *(self.dialect.sum_of(each) for each in sums))
            found[int(place)][table_name][number] = digest
        return list(found)

    def rows(self, ranges: Ranges, tables: Sequence[Table] = TABLES) -> Mapping[str, Rows]:
        """Canonical values, per table, of the rows whose order's id is in these ranges. Where there are many ranges,
        some other rows come with them.
        """
        few = ranges.at_most(MOST_RANGES)
        statements = [rows_sql(self.dialect, table, self._source(table), few) for table in tables]
        with ThreadPoolExecutor(self.at_once) as pool:
            answers = list(pool.map(self.ask, statements))
        return {table.name: answer for table, answer in zip(tables, answers, strict=True)}

    def broken(self) -> Rows:
        """The rows that `across_sql` gives."""
        return self.ask(across_sql(SCHEMA))

    def _source(self, table: Table, schema: str = "") -> str:
        return f"{self.schemas.get(table.name, schema or self.schema)}.{self.dialect.quoted(table.name)}"


@dataclass(frozen=True)
class Group:
    """Tables of one schema of the lake, and how many ids one of their buckets spans."""

    schema: str
    tables: Sequence[Table]
    width: int


@dataclass
class StatementTime:
    """How many seconds an engine's next statement may take: more where earlier statements came near the limit."""

    seconds: float

    def rows(self, run: Callable[[Deadline], Answer]) -> Rows:
        """The statement's rows. Raises: as `run` does."""
        deadline = Deadline(self.seconds)
        answer = run(deadline)
        self.seconds = max(self.seconds, SLOWER_AT_MOST * deadline.elapsed)
        return answer.rows


@contextmanager
def snapshot_of(stack: Stack, source: Source, seconds: float) -> Iterator[Reader]:
    """A reader of a captured database, in one transaction whose snapshot is taken now. Raises: CouldNotLook."""
    with source.module.at_one_instant(stack, source.name, seconds) as ask:
        schemas = find_connector(source.connector).schemas
        yield Reader(source.engine, _OF_ENGINE[source.engine], ask, schema=source.name, schemas=schemas)


@contextmanager
def lake_reader(
    stack: Stack, engine: str, commit: PublishedCommit, progress: Callable[[str], None]
) -> Iterator[Reader]:
    """A reader of the lake at that hash, through `engine`. Raises: CouldNotLook, StatementFailed."""
    seconds = stack.settings.check.statement_seconds
    deadline, time = Deadline(seconds), StatementTime(seconds)
    if engine == "trino":
        with pinned_trino(stack, commit, deadline) as trino:
            yield Reader(engine, TRINO, lambda sql: time.rows(lambda limit: trino.run(sql, limit)), at_once=3)
    elif engine == "spark":
        with pinned_spark(stack, commit, deadline, progress) as spark:
            yield Reader(engine, SPARK, lambda sql: time.rows(lambda limit: spark.run(sql, limit)), at_once=3)
    else:
        with pinned_flink(stack, commit, deadline, progress) as flink:
            yield Reader(engine, FLINK, lambda sql: time.rows(lambda limit: flink.run(sql, limit)))
