"""The canonical text and its digest are the same in Python, MariaDB, Trino, Flink and Spark, on awkward values."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.deadline import Deadline
from lakeproof.lake.query import flink, spark, trino
from lakeproof.proof.tables.buckets import Digest
from lakeproof.proof.tables.canonical import Column, Kind, Table, digest_of, microseconds, text_of
from lakeproof.proof.tables.dialects import FLINK, MARIADB, SPARK, TRINO, Dialect, canonical_text, digests_sql
from lakeproof.proof.tables.readers import OF_LEDGER, snapshot_of
from lakeproof.stack.stack import Stack

GOLDEN = Table(
    "golden",
    (
        Column("id", Kind.INTEGER),
        Column("name", Kind.TEXT),
        Column("amount", Kind.DECIMAL),
        Column("moment", Kind.TIME),
    ),
    "id",
    ("id",),
)

# id, name, amount at scale 2, moment
ROWS: tuple[tuple[int, str | None, str | None, str | None], ...] = (
    (0, "", "0.00", "1970-01-01 00:00:00.000000"),
    (1, None, None, None),
    (15, "plain", "12.30", "2026-11-24 14:43:53.042722"),
    (16, "-", "-0.50", "2026-11-24 14:43:53.000000"),
    (17, "3:abc", "-9999999999.99", "2026-11-24 14:43:53.000001"),
    (18, " spaces at the end  ", "9999999999.99", "2038-01-19 03:14:08.999999"),
    (19, "Đơn hàng № 7", "0.01", "2000-02-29 23:59:59.100000"),
    (20, "🦆 beyond the plane 🧾", "100.00", "2026-03-29 02:30:00.500000"),
    (21, 'it\'s "quoted" and \\ back', "1.10", "1999-12-31 23:59:59.999999"),
    (-1, "the bucket below zero", "1.00", "2026-11-24 00:00:00.010000"),
    (-16, "its smallest", "1.00", "2026-11-24 00:00:00.010000"),
    (-17, "the one below it", "1.00", "1969-12-31 23:59:59.999999"),
    (-9223372036854775807, "the smallest literal", "1.00", "2026-11-24 00:00:00.010000"),
    (9223372036854775807, "the largest", "1.00", "2026-11-24 00:00:00.010000"),
    (9007199254740993, "an id that no double holds", "5.00", "2026-11-24 00:00:00.010000"),
)
WIDTH = 16


def python_values(row: tuple[int, str | None, str | None, str | None]) -> tuple[Any, ...]:
    """What the row's canonical values are."""
    id_, name, amount, moment = row
    return (id_, name, amount, None if moment is None else microseconds(moment))


def source(dialect: Dialect, types: tuple[str, str, str, str]) -> str:
    """The rows as a table expression of that engine."""

    def literal(value: object, kind: str) -> str:
        if value is None:
            return f"CAST(NULL AS {kind})"
        text = str(value).replace("'", "''")
        if dialect is MARIADB:
            text = text.replace("\\", "\\\\")
        return f"CAST({value if isinstance(value, int) else f"'{text}'"} AS {kind})"

    selects = [
        "SELECT "
        + ", ".join(
            f"{literal(value, kind)} AS {dialect.quoted(column.name)}"
            for value, kind, column in zip(row, types, GOLDEN.columns, strict=True)
        )
        for row in ROWS
    ]
    return f"({' UNION ALL '.join(selects)}) AS golden"


def expected_digests() -> dict[int, Digest]:
    """By bucket, from Python."""
    sums: dict[int, list[int]] = {}
    for row in ROWS:
        one = sums.setdefault(row[0] // WIDTH, [0, 0, 0])
        one[0] += 1
        one[1] += digest_of(python_values(row))
        one[2] += digest_of((row[0],))
    return {bucket: Digest(*each) for bucket, each in sums.items()}


def digest(dialect: Dialect, row: Any) -> Digest:
    """One bucket as the engine gave it."""
    return Digest(int(row[1]), dialect.sum_of(row[2]), dialect.sum_of(row[3]))


def assert_equal(dialect: Dialect, types: tuple[str, str, str, str], ask: Callable[[str], Any]) -> None:
    """Texts one by one first, since they say what differs; then the digests."""
    table = source(dialect, types)
    texts = ask(f"SELECT {dialect.quoted('id')}, {canonical_text(dialect, GOLDEN)} FROM {table}")
    assert {int(id_): text for id_, text in texts} == {row[0]: text_of(python_values(row)) for row in ROWS}
    digests = [row[1:] for row in ask(digests_sql(dialect, [("golden", GOLDEN, table, WIDTH)]))]
    assert {int(row[0]): digest(dialect, row) for row in digests} == expected_digests()


@pytest.mark.engines
def test_mariadb_writes_the_same_canonical_text_and_digest(stack: Stack, up: Callable[..., Any]) -> None:
    up("mysql")
    with snapshot_of(stack, OF_LEDGER, 30.0) as reader:
        types = ("SIGNED", "CHAR CHARACTER SET utf8mb4", "DECIMAL(12, 2)", "DATETIME(6)")
        assert_equal(MARIADB, types, reader.ask)


@pytest.mark.engines
def test_trino_writes_the_same_canonical_text_and_digest(stack: Stack, up: Callable[..., Any]) -> None:
    up("trino")
    types = ("bigint", "varchar", "decimal(12, 2)", "timestamp(6)")
    assert_equal(TRINO, types, lambda sql: trino.run(stack, sql, Deadline(30), catalog="system").rows)


@pytest.mark.engines
def test_flink_writes_the_same_canonical_text_and_digest(stack: Stack, up: Callable[..., Any]) -> None:
    up("flink-sql-gateway", "flink-taskmanager", "minio")
    now = datetime.now(UTC)
    nothing = published_commit("0" * 64, now)
    types = ("BIGINT", "STRING", "DECIMAL(12, 2)", "TIMESTAMP(6)")
    with flink.pinned_flink(stack, nothing, Deadline(60)) as session:
        assert_equal(FLINK, types, lambda sql: session.run(sql, Deadline(60)).rows)


@pytest.mark.engines
@pytest.mark.proof
def test_spark_writes_the_same_canonical_text_and_digest(stack: Stack, up: Callable[..., Any]) -> None:
    up("spark")
    types = ("BIGINT", "STRING", "DECIMAL(12, 2)", "TIMESTAMP_NTZ")
    with spark.pinned_spark(stack, None, Deadline(60)) as session:
        assert_equal(SPARK, types, lambda sql: session.run(sql, Deadline(60)).rows)
