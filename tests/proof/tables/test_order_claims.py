"""Which claims an order breaks, from one row of sums."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from lakeproof_shop.proof.order_claims import NEWEST_EVENT, NO_ORPHANS, WHOLE_ORDERS, across_sql, broken_of

# order id, orders, wanted items, items, total, amount, version, events, newest, gone,
# sum of the events' versions, sum of the powers of two to them
WHOLE = (1, 1, 2, 2, "12.50", "12.50", 3, 3, 3, 0, 6, 14.0)


def changed(**values: object) -> tuple[object, ...]:
    """WHOLE with some values replaced."""
    first = ("order_id", "orders", "wanted", "items", "total", "amount")
    names = (*first, "version", "events", "newest", "gone", "sum", "powers")
    return tuple(values.get(name, value) for name, value in zip(names, WHOLE, strict=True))


@pytest.mark.parametrize(
    ("row", "claims"),
    [
        (WHOLE, set()),
        (changed(items=1, amount="10.00"), {WHOLE_ORDERS}),
        (changed(amount="12.49"), {WHOLE_ORDERS}),
        (changed(orders=0, wanted=0, total="0.00", version=0, gone=1), {NO_ORPHANS}),
        (changed(orders=0, wanted=0, total="0.00", version=0), {NO_ORPHANS, NEWEST_EVENT}),
        (changed(orders=0, wanted=0, items=0, total="0", amount="0", version=0, gone=1), set()),
        (changed(version=2), {NEWEST_EVENT}),
        (changed(events=4), {NEWEST_EVENT}),
        (changed(events=2), {NEWEST_EVENT}),
        (changed(gone=1), {NEWEST_EVENT}),
        (changed(sum=7), {NEWEST_EVENT}),
        (changed(powers=15.0), {NEWEST_EVENT}),
        (changed(version=None, events=0, newest=0, sum=0, powers=0), {NEWEST_EVENT}),
    ],
)
def test_a_row_of_sums_tells_which_claims_are_broken(row: tuple[object, ...], claims: set[str]) -> None:
    assert {broken.claim for broken in broken_of([row])} == claims


def test_a_row_of_sums_with_null_breaks_a_claim_and_no_check() -> None:
    """An item whose order's id is NULL, and an order of which the lake has no total."""
    broken = broken_of(
        [
            changed(order_id=None, orders=0, wanted=0, version=0, events=0, newest=0, sum=0, powers=0),
            changed(total=None),
        ]
    )
    assert {(one.claim, one.key) for one in broken} == {(NO_ORPHANS, None), (WHOLE_ORDERS, 1)}


@pytest.mark.parametrize(
    ("versions", "detail"),
    [
        ([1, 2, 3], None),
        ([1, 2], "version 3, 2 events, the newest is 2"),
        ([], "version 3, 0 events, the newest is 0"),
        ([1, 2, 3, 3], "version 3, 4 events, the newest is 3"),
        ([1, 3, 3], "version 3, 3 events, the newest is 3, and one version has two"),
        ([1, 1, 3], "version 3, 3 events, the newest is 3, and one version has two"),
        ([1, 1, 4, 4], "version 4, 4 events, the newest is 4, and one version has two"),
        ([2, 2, 2, 4], "version 4, 4 events, the newest is 4, and one version has two"),
        ([2, 2, 3, 3, 4, 7, 7], "version 7, 7 events, the newest is 7, and one version has two"),
        ([*range(1, 61)], None),
        ([2, 2, 3, 3, 4, 7, 7, *range(8, 61)], "version 60, 60 events, the newest is 60, and one version has two"),
    ],
    ids=[
        "whole",
        "one lost",
        "all lost",
        "one doubled",
        "one lost, another doubled",
        "one lost, the first doubled",
        "two lost, two doubled",
        "two lost, one there three times",
        "three lost, three doubled",
        "sixty",
        "three of sixty lost, three doubled",
    ],
)
def test_one_event_per_version_is_what_the_statement_compares(versions: Sequence[int], detail: str | None) -> None:
    """One lost and one doubled event had the same number and the same newest version as three whole ones."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(
            "ATTACH ':memory:' AS oltp;"
            "CREATE TABLE oltp.orders AS SELECT 1 AS id, 1 AS item_count, 2 AS total, 0 AS version;"
            "CREATE TABLE oltp.order_items AS SELECT 1 AS order_id, 1 AS unit_price, 2 AS quantity;"
            "CREATE TABLE oltp.order_events (order_id, version, type)"
        )
        database.execute("UPDATE oltp.orders SET version = ?", [max([3, *versions])])
        database.executemany(
            "INSERT INTO oltp.order_events VALUES (1, ?, 'changed')", [(version,) for version in versions]
        )
        broken = broken_of(database.execute(across_sql("oltp")))
    assert [(one.claim, one.detail) for one in broken] == ([] if detail is None else [(NEWEST_EVENT, detail)])


@pytest.mark.parametrize("version", [0, None])
def test_an_order_that_has_no_version_and_no_event_breaks_a_claim(version: int | None) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(
            "ATTACH ':memory:' AS oltp;"
            "CREATE TABLE oltp.orders (id, item_count, total, version);"
            "CREATE TABLE oltp.order_items AS SELECT 1 AS order_id, 1 AS unit_price, 2 AS quantity;"
            "CREATE TABLE oltp.order_events (order_id, version, type)"
        )
        database.execute("INSERT INTO oltp.orders VALUES (1, 1, 2, ?)", [version])
        assert [one.claim for one in broken_of(database.execute(across_sql("oltp")))] == [NEWEST_EVENT]
