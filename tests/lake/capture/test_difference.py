"""What is written into the topic where the capture missed changes."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from lakeproof.errors import TerminalError
from lakeproof.lake.capture import difference
from lakeproof.lake.capture.difference import (
    Difference,
    Event,
    Table,
    compare,
    event_of,
    in_words,
    records,
    table_of,
    value_of,
)
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files

FILES = {file.source: file for file in load_sql_files("oltp")}
ORDERS = Table(FILES["oltp.orders"], "oltp.orders", ("id", "status"), "id")
EVENTS = Table(FILES["oltp.order_events"], "oltp.order_events", ("id", "type"), "id")

type Rows = Mapping[int, str]


class Server:
    """Answers the statements of `compare` from rows of (id, text)."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.asked = rows, 0

    def __call__(self, sql: str) -> Sequence[Sequence[Any]]:
        self.asked += 1
        above, up_to = re.search(r"> (-?\d+)", sql), re.search(r"<= (-?\d+)", sql)
        limit = re.search(r"LIMIT (\d+)", sql)
        found = [
            (number, text)
            for number, text in sorted(self.rows.items())
            if (not above or number > int(above[1])) and (not up_to or number <= int(up_to[1]))
        ]
        return found[: int(limit[1])] if limit else found


def differing(there: Rows, lakes: Rows, table: Table = ORDERS, came: Sequence[Event] = ()) -> Difference:
    found = Difference()
    compare(Server(there), Server(lakes), table, came, found)
    return found


def told(found: Difference) -> list[tuple[str, int]]:
    return [(event.op, int((event.after or event.before or {})["id"])) for event in found.events]


@pytest.mark.parametrize(
    ("kind", "ours", "trinos", "connectors", "form"),
    [
        ("DECIMAL(12, 2)", Decimal("12.50"), "12.50", "12.50", "12.50"),
        ("DECIMAL(20, 7)", Decimal("0.0000001"), "0.0000001", "1E-7", "0.0000001"),
        (
            "TIMESTAMP(6)",
            datetime(2026, 11, 30, 12, 0, 0, 120),
            "2026-11-30 12:00:00.000120",
            "2026-11-30T12:00:00.00012Z",
            "2026-11-30T12:00:00.000120Z",
        ),
        ("TIMESTAMP(6)", datetime(2026, 11, 30), "2026-11-30 00:00:00.000000", "2026-11-30T00:00:00Z", None),
        ("BIGINT", 2**62, 2**62, 2**62, 2**62),
        ("BOOLEAN", 1, True, True, True),
        ("STRING", "2026-11-30 12:00:00.000000", "2026-11-30 12:00:00.000000", "2026-11-30 12:00:00.000000", None),
        ("STRING", None, None, None, None),
    ],
)
def test_both_sides_and_the_connector_tell_a_value_alike(
    kind: str, ours: object, trinos: object, connectors: object, form: object
) -> None:
    assert value_of(kind, ours) == value_of(kind, trinos) == value_of(kind, connectors)
    if form is not None:
        assert value_of(kind, ours) == form
    if kind == "STRING":
        assert value_of(kind, ours) == ours, "a text that looks like a time is none"


def test_a_type_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(TerminalError, match="VARBINARY"):
        value_of("VARBINARY", b"x")


def test_a_row_is_made_changed_or_deleted_and_what_agrees_is_not_written() -> None:
    found = differing({1: "paid", 2: "paid", 4: "new"}, {1: "paid", 2: "new", 3: "new"})
    assert told(found) == [("u", 2), ("d", 3), ("c", 4)]
    changed = found.events[0]
    assert (changed.before, changed.after) == ({"id": 2, "status": "new"}, {"id": 2, "status": "paid"})
    assert found.counts() == {"oltp.orders": 3}


def test_a_table_that_only_takes_new_rows_gets_those_that_are_missing_alone() -> None:
    found = differing({1: "a", 2: "b"}, {1: "other", 3: "gone"}, EVENTS)
    assert told(found) == [("c", 2)]
    assert found.kept == {"oltp.order_events": 2}


def test_rows_that_such_a_table_holds_twice_are_told_and_stay() -> None:
    found = Difference()
    lakes = Server({1: "a", 2: "b"})
    compare(Server({1: "a", 2: "b"}), lambda sql: [*lakes(sql), *lakes(sql)[1:]], EVENTS, (), found)
    assert (told(found), found.kept, found.twice) == ([], {}, {"oltp.order_events": 1})
    assert in_words(found) == "rows that the lake lacked: none"


def test_two_rows_of_one_key_that_differ_are_no_second_rows() -> None:
    """As of a column that was declared between them: to take one out somebody would have to know which."""
    found = Difference()
    compare(Server({1: "a"}), lambda sql: [(1, None), (1, "a")], EVENTS, (), found)
    assert (told(found), found.kept, found.twice) == ([], {"oltp.order_events": 1}, {})


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 100])
def test_all_rows_are_compared_once_however_many_are_read_at_a_time(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also ids below zero, far apart, and those that only the lake has, at both ends."""
    monkeypatch.setattr(difference, "AT_ONCE", at_once)
    there = {-7: "a", 1: "b", 9_000_000_000: "c", 9_000_000_001: "d"}
    lakes = {-9: "x", -7: "a", 5: "x", 9_000_000_000: "other", 9_000_000_007: "x"}
    came = [Event("oltp.orders", "c", None, {"id": 1, "status": "b"})]
    found = differing(there, lakes, came=came)
    assert sorted(told(found), key=lambda one: one[1]) == [
        ("d", -9),
        ("d", 5),
        ("u", 9_000_000_000),
        ("c", 9_000_000_001),
        ("d", 9_000_000_007),
    ]
    server = Server(there)
    compare(server, Server(lakes), ORDERS, came, Difference())
    assert server.asked <= len(there) + 1


def test_what_came_of_a_transaction_that_is_open_is_not_written_again() -> None:
    """The job holds it, and passes it on with the rest."""
    came = [
        event_of(ORDERS, {"op": op, "before": before, "after": after})
        for op, before, after in (
            ("c", None, {"id": 7, "status": "new", "total": "1.00"}),
            ("u", {"id": 7, "status": "new"}, {"id": 7, "status": "paid"}),
            ("d", {"id": 2, "status": "new"}, None),
        )
    ]
    assert told(differing({1: "a", 7: "paid"}, {1: "a", 2: "new"}, came=came)) == []
    assert told(differing({1: "a", 7: "sent"}, {1: "a"}, came=came[:1])) == [("u", 7)]
    event = event_of(EVENTS, {"op": "c", "before": None, "after": {"id": 3, "type": "paid"}})
    assert told(differing({3: "paid", 4: "sent"}, {}, EVENTS, [event])) == [("c", 4)]


def test_the_rows_are_one_transaction_whose_end_counts_them_alone() -> None:
    found = Difference([Event("oltp.orders", "c", None, {"id": 1}), Event("oltp.order_events", "c", None, {"id": 5})])
    *rows, end = (json.loads(one) for one in records(found, "0-1-9", 1_700_000_000_000_000))
    assert {end["id"]} | {row["transaction"]["id"] for row in rows} == {"0-1-9"}
    assert (end["status"], end["event_count"]) == ("END", 2)
    assert {one["data_collection"]: one["event_count"] for one in end["data_collections"]} == {
        "oltp.orders": 1,
        "oltp.order_events": 1,
    }
    assert rows[0]["source"] | {"db": "oltp", "table": "orders"} == rows[0]["source"]
    assert all("pos" not in row["source"] for row in rows), "it has no place in the log"


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ([("id", "bigint", True), ("line", "int", True)], "id, line"),
        ([("id", "varchar", True)], "id"),
        ([("id", "bigint", False)], "nothing"),
    ],
)
def test_a_table_without_one_whole_number_for_a_key_is_refused(
    described: list[tuple[str, str, bool]], told: str
) -> None:
    with pytest.raises(TerminalError, match=f"primary key is {told}, not one whole number"):
        table_of(Server({}), Server({}), FILES["oltp.orders"], "oltp.orders", described)


def test_a_column_that_the_database_lacks_is_left_out_where_the_lake_has_no_value_of_it_and_else_refused() -> None:
    file = FILES["oltp.order_events"]
    described = [(name, "bigint", name == "id") for name in file.columns if name != "type"]
    assert table_of(Server({}), Server({}), file, "oltp.order_events", described).names == tuple(
        name for name in file.columns if name != "type"
    )
    with pytest.raises(TerminalError, match="lacks the column type"):
        table_of(Server({}), Server({1: "x"}), file, "oltp.order_events", described)


def test_a_type_that_is_not_compared_is_refused_before_a_row_is_read() -> None:
    """The job may have been ended by the time a row comes."""
    file = FILES["oltp.orders"]
    odd = SqlFile(file.table, tuple(each.replace("status STRING", "status BYTES") for each in file.statements))
    assert odd.columns["status"] == "BYTES"
    described = [(name, "bigint", name == "id") for name in odd.columns]
    with pytest.raises(TerminalError, match="BYTES are not compared"):
        table_of(Server({}), Server({}), odd, "oltp.orders", described)
