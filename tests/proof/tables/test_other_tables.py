"""A table that no ledger knows: what traffic may do settles itself, what is wrong stays and has its key."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.proof.tables.digest_readers import CONSUMED, PAYMENTS, with_digests

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.proof.tables.canonical import Column, Kind, Table, digest_of, text_of
from lakeproof.proof.tables.dialects import POSTGRES, TRINO, rows_sql
from lakeproof.proof.tables.other_tables import (
    ByKey,
    FirstLook,
    NotComparable,
    agreement,
    by_key,
    compare_others,
    described,
    settled,
)
from lakeproof.proof.tables.ranges import ranges_of
from lakeproof.proof.tables.readers import Reader


def first_look(tables: Sequence[Table], database: Reader, lake: Reader) -> FirstLook:
    """Both sides with their digests, by buckets of 16 ids."""
    return FirstLook(tables, 16, database, lake, database.digests(16, tables), lake.digests(16, tables))


OLD, NEW = (("=1", "=old"),), (("=1", "=new"),)


def look(database: ByKey, lake: ByKey) -> tuple[ByKey, ByKey]:
    """One look at both."""
    return database, lake


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        (look({"1": NEW}, {"1": OLD}), look({"1": NEW}, {"1": NEW}), None),
        (look({"1": NEW}, {}), look({"1": NEW}, {"1": NEW}), None),
        (look({"1": OLD}, {}), look({"1": NEW}, {"1": OLD}), None),
        (look({}, {"1": OLD}), look({}, {}), None),
        (look({"1": NEW}, {}), look({"1": NEW}, {}), "lost"),
        (look({}, {"1": OLD}), look({}, {"1": OLD}), "phantom"),
        (look({"1": NEW}, {"1": OLD}), look({"1": NEW}, {"1": OLD}), "stale"),
        (look({"1": NEW}, {"1": NEW * 2}), look({"1": NEW}, {"1": NEW * 2}), "duplicated"),
    ],
)
def test_only_what_the_database_left_alone_is_a_finding(
    first: tuple[ByKey, ByKey], second: tuple[ByKey, ByKey], wrong: str | None
) -> None:
    findings, _ = settled("payments", {"1"}, first[0], *second)
    assert [(finding.wrong.value, finding.key) for finding in findings] == ([] if wrong is None else [(wrong, "1")])


def with_amounts(engine: str, amounts: dict[int, int]) -> Reader:
    """An engine that shows these payments."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        if "MAX(" in sql:
            return [(40,)]
        if "GROUP BY" in sql:
            return [("0.payments", str(id_ // 16), 1, digest_of((id_, amount)), 1) for id_, amount in amounts.items()]
        return list(amounts.items())

    return Reader(engine, TRINO, ask)


AMOUNTS = Table("payments", (Column("id", Kind.INTEGER), Column("amount", Kind.INTEGER)), "id", ("id",))


@pytest.mark.parametrize(
    ("third", "found", "unsettled"),
    [
        (({1: 30}, {1: 30}), [], 0),
        (({1: 30}, {1: 7}), [("stale", "1")], 0),
        (({1: 30}, {}), [("lost", "1")], 0),
        (({1: 40}, {1: 7}), [], 1),
    ],
    ids=["whole", "stale", "lost", "moving"],
)
def test_a_row_that_changed_between_two_looks_is_looked_at_a_third_time_and_then_counted(
    third: tuple[dict[int, int], dict[int, int]], found: list[tuple[str, str]], unsettled: int
) -> None:
    """A row that the database kept changing was once left out without a word."""
    looks = iter([({1: 30}, {1: 7}), third])

    def look_again() -> tuple[Reader, Reader]:
        ours, theirs = next(looks)
        return with_amounts("postgres", ours), with_amounts("trino", theirs)

    compared = compare_others(
        first_look([AMOUNTS], with_amounts("postgres", {1: 20}), with_amounts("trino", {1: 7})), look_again
    )
    assert [(finding.wrong.value, finding.key) for finding in compared.reports[1].findings] == found
    assert [report.unsettled for report in compared.reports] == [0, unsettled]
    assert next(looks, None) is None


def test_what_was_found_is_told_although_no_third_look_was_possible() -> None:
    looks = iter([({1: 20, 17: 30}, {17: 7})])

    def look_again() -> tuple[Reader, Reader]:
        for ours, theirs in looks:
            return with_amounts("postgres", ours), with_amounts("trino", theirs)
        raise CouldNotLook("nothing covers now", where="lake")

    compared = compare_others(
        first_look([AMOUNTS], with_amounts("postgres", {1: 20, 17: 20}), with_amounts("trino", {17: 7})), look_again
    )
    _, lake = compared.reports
    assert [(finding.wrong.value, finding.key) for finding in lake.findings] == [("lost", "1")]
    assert (lake.unsettled, compared.unknown[-1:]) == (1, ("lake: nothing covers now",))


def test_a_row_that_both_had_alike_at_the_first_look_is_not_looked_at_for_ever() -> None:
    looks = iter([({1: 30, 2: 5}, {1: 20, 2: 5})])

    def look_again() -> tuple[Reader, Reader]:
        ours, theirs = next(looks)
        return with_amounts("postgres", ours), with_amounts("trino", theirs)

    first = with_amounts("postgres", {1: 20, 2: 5}), with_amounts("trino", {1: 20})
    assert [report.unsettled for report in compare_others(first_look([AMOUNTS], *first), look_again).reports] == [
        0,
        0,
    ]


def database(rows: Sequence[tuple[str, str, str]]) -> Reader:
    """One that describes its table by these columns."""
    ask: Callable[[str], Any] = lambda sql: rows  # noqa: E731
    return Reader("mysql", TRINO, ask)


def test_a_table_is_described_by_the_database() -> None:
    columns = [("id", "bigint", "PRI"), ("note", "varchar", ""), ("amount", "decimal", ""), ("at", "datetime", "")]
    table = described(OLTP, database(columns), "payments")
    assert [column.kind for column in table.columns] == [Kind.INTEGER, Kind.TEXT, Kind.DECIMAL, Kind.TIME]
    assert by_key(table, [(7, None, "1.00", 5)]) == {"7": (("=7", "NULL", "=1.00", "=5"),)}


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [("id", "bigint", "PRI"), ("body", "json", "")],
        [("id", "varchar", "PRI")],
        [("a", "int", "PRI"), ("b", "int", "PRI")],
    ],
)
def test_what_cannot_be_compared_says_so(columns: list[tuple[str, str, str]]) -> None:
    with pytest.raises(NotComparable, match="payments"):
        described(OLTP, database(columns), "payments")


def test_a_table_of_postgresql_may_have_a_text_key_and_truth_values() -> None:
    columns = [
        ("id", "uuid", True),
        ("body", "jsonb", False),
        ("has_work", "bool", False),
        ("at", "timestamptz", False),
    ]
    reader = Reader("postgres", POSTGRES, lambda sql: columns, schemas={"notifications": "notification"})
    table = described(SHOP, reader, "notifications")
    assert [column.kind for column in table.columns] == [Kind.TEXT, Kind.TEXT, Kind.BOOLEAN, Kind.TIME]
    assert table.has_text_key
    with pytest.raises(NotComparable, match="no connector's file"):
        described(SHOP, reader, "unknown")


def test_buckets_of_a_text_key_are_named_by_two_digits_of_its_digest() -> None:
    table = Table("t", (Column("id", Kind.TEXT),), "id", ("id",))
    sql = rows_sql(TRINO, table, "shop.t", ranges_of({10, 11, 255}, 1))
    assert ">= '0a'" in sql and "<= '0b'" in sql and ">= 'ff'" in sql and "<= 'ff'" in sql


def test_engines_that_show_the_same_of_one_hash_agree_and_others_are_named_by_table_and_bucket() -> None:
    rows = (("payments", 0, 5), ("payments", 2, 6), ("consumed_events", 0xA0, 7))
    tables = [PAYMENTS, CONSUMED]

    def never() -> tuple[Reader, Reader]:
        raise AssertionError("nothing differs from the database")

    compared = compare_others(
        first_look(tables, with_digests("postgres", *rows), with_digests("trino", *rows)), never, "shop."
    )
    assert [(one.table, one.engine, one.rows, one.findings) for one in compared.reports] == [
        ("shop.payments", "postgres", 2, ()),
        ("shop.payments", "trino", 2, ()),
        ("shop.consumed_events", "postgres", 1, ()),
        ("shop.consumed_events", "trino", 1, ()),
    ]
    same = with_digests("spark", *rows).digests(compared.width, tables)
    assert agreement(tables, compared, "spark", same, "shop.").in_words == (
        "ok: engines agree on every row of tables of shop (trino, spark) (2 tables)"
    )
    other = with_digests("spark", ("payments", 0, 5), ("payments", 2, 60)).digests(compared.width, tables)
    found = agreement(tables, compared, "spark", other, "shop.")
    assert (found.violations, found.keys) == (
        2,
        ("shop.payments, ids 32 to 47", "shop.consumed_events, keys whose MD5 begins with a0"),
    )


def test_rows_that_are_not_those_of_the_digest_leave_their_bucket_unknown() -> None:
    """An engine that gives another text than it took the digest of: row by row nothing differs."""

    def engine(name: str, full: int) -> Reader:
        def ask(sql: str) -> list[tuple[Any, ...]]:
            if "MAX(" in sql:
                return [(40,)]
            if "GROUP BY" in sql:
                return [("0.payments", "-1", 1, full, 1)]
            return [(-5,)]

        return Reader(name, TRINO, ask)

    database, lake = engine("postgres", digest_of((-5,))), engine("trino", 12345)
    compared = compare_others(first_look([PAYMENTS], database, lake), lambda: (database, lake))
    assert [finding for report in compared.reports for finding in report.findings] == []
    assert len([told for told in compared.unknown if "trino: payments, ids -16 to -1" in told]) == 1


def test_a_zero_with_many_digits_is_the_same_text_in_database_and_lake() -> None:
    table = Table("t", (Column("id", Kind.INTEGER), Column("rate", Kind.DECIMAL)), "id", ("id",))
    assert by_key(table, [(1, Decimal("0.0000000"))]) == by_key(table, [(1, "0.0000000")])
    assert text_of((Decimal("0.0000000"),)) == text_of(("0.0000000",))
