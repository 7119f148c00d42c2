"""Which claims a payment, parcel or case breaks: the statement itself, on tables of a database in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest

from lakeproof.proof.tables.whole_claims import CLAIMS
from lakeproof_shop.proof.history_claims import NEWEST_CHANGE, TOLD_OF, broken_of, history_sql

TABLES = {
    "payments": "(id, version)",
    "payment_events": "(payment_id, version, type)",
    "fulfillments": "(id, version)",
    "fulfillment_events": "(fulfillment_id, version, type)",
    "cases": "(id, version, created_at)",
    "case_events": "(case_id, version, type)",
    "case_messages": "(case_id, at)",
    "case_attachments": "(case_id)",
}
NAMED = {table: f"s.{table}" for table in TABLES}
WHOLE = (
    "INSERT INTO s.payments VALUES (1, 2), (2, 1)",
    "INSERT INTO s.payment_events VALUES (1, 1, 'authorized'), (1, 2, 'captured'), (2, 1, 'declined')",
    "INSERT INTO s.fulfillments VALUES (1, 3)",
    "INSERT INTO s.fulfillment_events VALUES (1, 1, 'requested'), (1, 2, 'held'), (1, 3, 'shipped')",
    # Case 1 was opened with a message, case 2 without one.
    "INSERT INTO s.cases VALUES (1, 3, 10), (2, 2, 20)",
    "INSERT INTO s.case_events VALUES (1, 1, 'opened'), (1, 2, 'message_added'), (1, 3, 'attachment_added')",
    "INSERT INTO s.case_events VALUES (2, 1, 'opened'), (2, 2, 'message_added')",
    "INSERT INTO s.case_messages VALUES (1, 10), (1, 12), (2, 22)",
    "INSERT INTO s.case_attachments VALUES (1)",
)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("ATTACH ':memory:' AS s")
        for table, columns in TABLES.items():
            made.execute(f"CREATE TABLE s.{table} {columns}")
        for statement in WHOLE:
            made.execute(statement)
        yield made


def found(database: sqlite3.Connection, tables: Iterable[str] = TABLES) -> set[tuple[str, str]]:
    rows = database.execute(history_sql([{table: NAMED[table] for table in tables}]))
    return {(one.subject, one.claim) for one in broken_of(row[1:] for row in rows)}


def test_what_is_whole_breaks_nothing(database: sqlite3.Connection) -> None:
    assert found(database) == set()


@pytest.mark.parametrize(
    ("change", "subject", "claim"),
    [
        ("UPDATE s.payments SET version = 1 WHERE id = 1", "payment 1", NEWEST_CHANGE),
        ("UPDATE s.payments SET version = NULL WHERE id = 1", "payment 1", NEWEST_CHANGE),
        ("DELETE FROM s.payment_events WHERE payment_id = 1 AND version = 2", "payment 1", NEWEST_CHANGE),
        ("DELETE FROM s.payment_events WHERE payment_id = 2", "payment 2", NEWEST_CHANGE),
        ("UPDATE s.payment_events SET version = 2 WHERE payment_id = 1", "payment 1", NEWEST_CHANGE),
        ("DELETE FROM s.payments WHERE id = 2", "payment 2", NEWEST_CHANGE),
        ("INSERT INTO s.payments VALUES (2, 1)", "payment 2", NEWEST_CHANGE),
        ("INSERT INTO s.payments VALUES (3, NULL)", "payment 3", NEWEST_CHANGE),  # no event either: once in no claim
        ("INSERT INTO s.payments VALUES (3, 0)", "payment 3", NEWEST_CHANGE),
        ("INSERT INTO s.payments VALUES (NULL, 1)", "payment id NULL", NEWEST_CHANGE),
        ("INSERT INTO s.fulfillment_events VALUES (1, 4, 'returned')", "parcel 1", NEWEST_CHANGE),
        ("UPDATE s.fulfillment_events SET version = 1 WHERE version = 2", "parcel 1", NEWEST_CHANGE),
        ("UPDATE s.cases SET version = 2 WHERE id = 1", "case 1", NEWEST_CHANGE),
        ("DELETE FROM s.case_events WHERE case_id = 1 AND version = 2", "case 1", NEWEST_CHANGE),
        ("DELETE FROM s.case_messages WHERE at = 12", "case 1", TOLD_OF),
        ("DELETE FROM s.case_messages WHERE at = 22", "case 2", TOLD_OF),
        ("INSERT INTO s.case_messages VALUES (1, 13)", "case 1", TOLD_OF),
        ("DELETE FROM s.case_attachments", "case 1", TOLD_OF),
        ("INSERT INTO s.case_attachments VALUES (2)", "case 2", TOLD_OF),
    ],
)
def test_a_part_of_a_transaction_breaks_a_claim(
    database: sqlite3.Connection, change: str, subject: str, claim: str
) -> None:
    database.execute(change)
    assert (subject, claim) in found(database)


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        ("payment_events", {"payment 1", "payment 2"}),
        ("fulfillment_events", {"parcel 1"}),
        ("case_events", {"case 1", "case 2"}),
    ],
)
def test_events_that_stand_twice_break_the_claim(database: sqlite3.Connection, events: str, broken: set[str]) -> None:
    """Tables of events have no key in the lake: whoever reads all rows anew brings each of their rows twice."""
    database.execute(f"INSERT INTO s.{events} SELECT * FROM s.{events}")
    assert found(database) == {(subject, NEWEST_CHANGE) for subject in broken}


def test_how_many_stand_twice_is_told(database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO s.payment_events VALUES (1, 2, 'captured')")
    (one,) = broken_of(row[1:] for row in database.execute(history_sql([NAMED])))
    assert one.detail == "version 2, 3 events, 1 of them twice, the newest is 2"


def test_the_message_that_a_case_was_opened_with_is_told_by_no_event(database: sqlite3.Connection) -> None:
    """So its absence cannot be seen here."""
    database.execute("DELETE FROM s.case_messages WHERE at = 10")
    assert found(database) == set()


def test_a_message_of_a_case_that_is_not_there_breaks_both_claims(database: sqlite3.Connection) -> None:
    database.execute("INSERT INTO s.case_attachments VALUES (9)")
    assert found(database) == {("case 9", NEWEST_CHANGE), ("case 9", TOLD_OF)}


def test_a_history_of_which_a_table_is_missing_is_not_judged(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM s.payment_events")
    database.execute("DELETE FROM s.case_events")
    left = [table for table in TABLES if table not in ("payment_events", "case_messages")]
    assert found(database, left) == set()
    assert history_sql([{"payments": "s.payments"}]) == ""


def test_several_states_are_judged_each_by_itself(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE s.later AS SELECT id, version + 1 AS version FROM s.payments")
    states = [NAMED, {**NAMED, "payments": "s.later"}, {}]
    rows = database.execute(history_sql(states)).fetchall()
    assert {(row[0], row[1], row[2]) for row in rows} == {(1, "payment", 1), (1, "payment", 2)}


def test_the_statements_name_each_tables_schema_and_snapshot() -> None:
    of_shop = next(claims for claims in CLAIMS if claims.source.name == "shop")
    pair = {"payments": 4, "payment_events": 9}
    assert "shop.payment_events FOR VERSION AS OF BIGINT '9'" in of_shop.lake_sql([pair])
    assert of_shop.lake_sql([{"cases": 1}]) == ""
    assert "FROM payment.payments " in of_shop.source_sql(dict.fromkeys(pair, "payment"))
