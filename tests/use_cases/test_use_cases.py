"""Use cases: their queries run on the tables that the lake's SQL declares, and their state is judged."""

import sqlite3
from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.sources.source import NAMES
from lakeproof.probes import prometheus
from lakeproof.stack.stack import load_stack
from lakeproof.use_cases import state
from lakeproof.use_cases.use_case import IDS, UseCase, find_use_case, read_use_case, use_cases


def lake() -> sqlite3.Connection:
    """An empty database with the lake's tables and columns, as lake/jobs declares them."""
    session = sqlite3.connect(":memory:")
    for name in NAMES:
        session.execute(f"ATTACH ':memory:' AS {name}")
        for file in load_sql_files(name):
            session.execute(f"CREATE TABLE {name}.{file.table} ({', '.join(f'"{each}"' for each in file.columns)})")
    return session


def answer(session: sqlite3.Connection, name: str) -> list[tuple[object, ...]]:
    # SQLite knows no intervals; that the query's own text runs is seen in tests/drills_real/test_use_cases.py.
    return session.execute(find_use_case(name).query.replace("INTERVAL '1' HOUR", "0")).fetchall()


@pytest.mark.parametrize("name", IDS)
def test_a_query_names_only_tables_and_columns_that_the_lake_has(name: str) -> None:
    assert answer(lake(), name) in ([], [(None,)])


def test_an_order_whose_captured_money_is_not_its_total_does_not_agree() -> None:
    session = lake()
    for order, status, total, captured, refunded in (
        (1, "paid", 10, 10, 0),
        (2, "paid", 10, 9, 0),
        (3, "paid", 10, None, None),
        (4, "cancelled", 10, 10, 10),
    ):
        session.execute("INSERT INTO oltp.orders (id, status, total) VALUES (?, ?, ?)", (order, status, total))
        if captured is not None:
            session.execute(
                "INSERT INTO shop.payments (order_id, captured, refunded) VALUES (?, ?, ?)",
                (order, captured, refunded),
            )
    assert [row[1:] for row in answer(session, "finance-reconciliation")] == [
        ("cancelled", 1, 10, 10, 10, 0, 0),
        ("paid", 3, 30, 19, 0, 1, 1),
    ]


@pytest.mark.parametrize(
    ("opted_out", "found"),
    [
        (None, 1),
        ("[]", 1),
        ('["order/email"]', 1),
        ('["marketing/email"]', 0),
        ('["marketing/*"]', 0),
        ('["*/email"]', 0),
    ],
)
def test_who_opted_out_of_marketing_is_not_addressed(opted_out: str | None, found: int) -> None:
    session = lake()
    session.execute("INSERT INTO oltp.orders (id, customer_id, status) VALUES (1, 7, 'paid')")
    session.execute("INSERT INTO oltp.order_items (order_id, sku, quantity, unit_price) VALUES (1, 'a', 2, 3)")
    if opted_out is not None:
        session.execute("INSERT INTO shop.preferences (customer_id, opted_out) VALUES (7, ?)", (opted_out,))
    assert len(answer(session, "marketing-personalization")) == found


def test_the_contract_s_five_are_there_with_the_service_levels_that_the_runbook_promises() -> None:
    assert {each.id: each.target_seconds for each in use_cases().values()} == {
        "customer-support-360": 120,
        "finance-reconciliation": 1800,
        "fraud-detection": 120,
        "inventory-360": 120,
        "marketing-personalization": 1800,
    }


def test_the_tables_are_those_of_the_query() -> None:
    assert find_use_case("fraud-detection").tables == ("oltp.orders", "shop.payments")
    assert find_use_case("fraud-detection").databases == ("oltp", "shop")


def test_an_unknown_name_lists_those_that_are_there() -> None:
    with pytest.raises(InvalidInput, match="closest: 'fraud-detection'"):
        find_use_case("fraud")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("DELETE FROM oltp.orders", "no reading statement"),
        ("SELECT 1 FROM oltp.order", "no table of oltp 'order', closest: 'order_events'"),
        ("SELECT 1", "reads no table"),
    ],
)
def test_a_query_that_writes_or_reads_what_is_not_there_is_refused(tmp_path: Path, query: str, told: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        f"titles: {{vi: một, en: one}}\nasks: {{vi: cái gì, en: what}}\nservice_level: batch\nquery: {query!r}\n"
    )
    with pytest.raises(InvalidInput, match=told):
        read_use_case(path)


def a_use_case() -> UseCase:
    return find_use_case("fraud-detection")


@pytest.mark.parametrize(
    ("ages", "expected", "age"),
    [
        ({"oltp": 3.0, "shop": 120.0}, "fresh", 120.0),
        ({"oltp": 3.0, "shop": 121.0}, "late", 121.0),
        ({"oltp": 3.0}, "unknown", 3.0),
        ({"oltp": 121.0}, "late", 121.0),
        ({}, "unknown", None),
    ],
)
def test_the_oldest_of_its_databases_decides_and_a_missing_one_is_never_fresh(
    ages: dict[str, float], expected: str, age: float | None
) -> None:
    seen = state.judge(a_use_case(), ages)
    assert (seen.state, seen.age_seconds) == (expected, age)
    assert ("shop" in seen.why) == ("shop" not in ages)


def test_where_prometheus_does_not_answer_the_state_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> list[tuple[dict[str, str], float]]:
        raise CouldNotLook("no answer", where="prometheus")

    monkeypatch.setattr(prometheus, "instant", away)
    seen = state.look(load_stack(), a_use_case())
    assert (seen.state, seen.why) == ("unknown", "Prometheus: no answer")
