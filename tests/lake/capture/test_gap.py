"""What is written into the topic where the capture missed changes."""

import json
from datetime import datetime
from decimal import Decimal

from lakeproof.lake.capture.gap import Difference, Place, add_differences, images, records
from lakeproof.lake.job.sql_files import load_sql_files

FILES = {file.source: file for file in load_sql_files("oltp")}
ORDERS, EVENTS = FILES["oltp.orders"], FILES["oltp.order_events"]
PLACE = Place("mysql-bin.000007", 4711, "0-5401-99")


def test_both_sides_of_a_row_are_told_alike() -> None:
    names = ("id", "total", "at", "client_key")
    ours = (7, Decimal("12.50"), datetime(2026, 11, 30, 12, 0, 0, 120), "2026-11-30 12:00:00 is no time")
    lakes = [7, "12.50", "2026-11-30 12:00:00.000120", "2026-11-30 12:00:00 is no time"]
    assert images(names, [ours]) == images(names, [lakes])
    assert images(names, [ours])[0]["at"] == "2026-11-30T12:00:00.000120Z"


def test_a_row_is_made_changed_or_deleted_and_what_agrees_is_not_written() -> None:
    found = Difference()
    there = [{"id": 1, "status": "paid"}, {"id": 2, "status": "paid"}, {"id": 4, "status": "new"}]
    lakes = [{"id": 1, "status": "paid"}, {"id": 2, "status": "new"}, {"id": 3, "status": "new"}]
    add_differences(found, ORDERS, "id", there, lakes)
    assert [(op, before and before["id"], after and after["id"]) for _, op, before, after in found.events] == [
        ("u", 2, 2),
        ("d", 3, None),
        ("c", None, 4),
    ]
    assert found.counts() == {"oltp.orders": 3}


def test_a_table_that_only_takes_new_rows_gets_those_that_are_missing_alone() -> None:
    found = Difference()
    there = [{"id": 1, "type": "a"}, {"id": 2, "type": "b"}]
    lakes = [{"id": 1, "type": "other"}, {"id": 3, "type": "gone"}]
    add_differences(found, EVENTS, "id", there, lakes)
    assert [(op, after and after["id"]) for _, op, _, after in found.events] == [("c", 2)]
    assert found.kept == {"oltp.order_events": 2}


def test_the_rows_are_one_transaction_whose_end_counts_them() -> None:
    found = Difference()
    add_differences(found, ORDERS, "id", [{"id": 1, "status": "new"}], [])
    add_differences(found, EVENTS, "id", [{"id": 5, "type": "a"}, {"id": 6, "type": "b"}], [])
    begin, *rows, end = (json.loads(record) for record in records(found, PLACE, 1_700_000_000_000_000))
    assert (begin["status"], end["status"]) == ("BEGIN", "END")
    assert {each["id"] for each in (begin, end)} | {row["transaction"]["id"] for row in rows} == {PLACE.gtid}
    assert end["event_count"] == 3
    assert {one["data_collection"]: one["event_count"] for one in end["data_collections"]} == {
        "oltp.orders": 1,
        "oltp.order_events": 2,
    }
    assert [row["transaction"]["total_order"] for row in rows] == [1, 2, 3]
    assert rows[0]["source"] | {"db": "oltp", "table": "orders"} == rows[0]["source"]
