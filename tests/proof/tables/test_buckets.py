"""How orders are parted into buckets, and that reading a bucket's range gives just its rows."""

import sqlite3

import pytest

from lakeproof.proof.tables.buckets import digests_of, width_for
from lakeproof.proof.tables.canonical import ORDER_EVENTS, ORDERS, digest_of
from lakeproof.proof.tables.dialects import TRINO, Dialect, rows_sql
from lakeproof.proof.tables.ranges import LARGEST_ID, OF_NULL, SMALLEST_ID, in_words, ranges_of
from lakeproof.proof.tables.readers import Reader

WIDTH = 16
IDS = (SMALLEST_ID, SMALLEST_ID + 1, -33, -32, -17, -16, -15, -1, 0, 1, 15, 16, 17, LARGEST_ID - 1, LARGEST_ID, None)


def test_a_bucket_spans_enough_ids_for_a_thousand_buckets() -> None:
    assert (width_for(0), width_for(16_000), width_for(1_023_999), width_for(1_024_000)) == (16, 16, 1000, 1001)


def mod(id_: int | None, width: int) -> int | None:
    """With the sign of the id, as every engine here has it."""
    return None if id_ is None else abs(id_) % width * (-1 if id_ < 0 else 1)


@pytest.fixture
def ids() -> sqlite3.Connection:
    """A table of the awkward ids; SQLite's division cuts towards zero, as that of every engine here."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("MOD", 2, mod)
    connection.execute("CREATE TABLE orders (id INTEGER, order_id INTEGER)")
    connection.executemany("INSERT INTO orders VALUES (NULL, ?)", [(id_,) for id_ in IDS])
    return connection


def bucket_sql(dialect: Dialect) -> str:
    """The bucket's number in SQL that SQLite takes."""
    return dialect.bucket_of(ORDER_EVENTS, WIDTH)


def test_a_negative_id_lies_in_the_bucket_below_zero(ids: sqlite3.Connection) -> None:
    rows = ids.execute(f"SELECT order_id, {bucket_sql(TRINO)} FROM orders").fetchall()
    assert {id_: bucket for id_, bucket in rows} == {id_: None if id_ is None else id_ // WIDTH for id_ in IDS}


def test_reading_all_buckets_gives_every_id_of_64_bits_and_those_that_are_null(ids: sqlite3.Connection) -> None:
    for id_ in IDS:
        bucket = OF_NULL if id_ is None else id_ // WIDTH
        sql = rows_sql(TRINO, ORDER_EVENTS, "orders", ranges_of({bucket}, WIDTH))
        where = sql.partition(" WHERE ")[2]
        found = {row[0] for row in ids.execute(f"SELECT order_id FROM orders WHERE {where}")}
        assert found == {one for one in IDS if (OF_NULL if one is None else one // WIDTH) == bucket}


def test_no_bound_is_beyond_64_bits() -> None:
    ends = ranges_of({SMALLEST_ID // WIDTH, LARGEST_ID // WIDTH}, WIDTH)
    assert str(2**63) not in rows_sql(TRINO, ORDERS, "orders", ends)


def test_rows_without_an_order_have_a_bucket_of_their_own() -> None:
    reader = Reader(
        "trino", TRINO, lambda sql: [("0.order_events", None, 2, 7, 8), ("0.order_events", "-1", 1, 3, 4)]
    )
    assert reader.digests(WIDTH)["order_events"].keys() == {OF_NULL, -1}
    assert reader.digests(WIDTH)["orders"] == {}
    read = digests_of(ORDER_EVENTS, [(1, None, 1, "created", 5), (2, -1, 1, "created", 5)], WIDTH)
    assert {bucket: one.full for bucket, one in read.items()} == {
        OF_NULL: digest_of((1, None, 1, "created", 5)),
        -1: digest_of((2, -1, 1, "created", 5)),
    }
    assert (in_words(OF_NULL, WIDTH), in_words(-1, WIDTH)) == ("ids that are NULL", "ids -16 to -1")
