"""What a published commit tells."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lakeproof.lake.nessie_commit import Commit
from lakeproof.lake.publish.commit import DatabaseState, is_ours, properties_of, read_commit, states_of

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)

# Commits as existing lakes hold them, to the letter: a publish of PostgreSQL's tables, one of MariaDB's, one of
# before PostgreSQL was captured, and a branch that was brought in by hand.
OF_SHOP = {
    "database": "shop",
    "onto": "aaaaaaaaaaaaaaaa",
    "checkpoint": "42",
    "gtid": "0-1-7",
    "beat_us": "1795000000000000",
    "at": "2026-11-24T11:58:19.999750+00:00",
    "snapshot.orders": "9",
    "snapshot.cdc_heartbeat": "11",
    "shop.checkpoint": "8",
    "shop.gtid": "786:11",
    "shop.beat_us": "1795000000000002",
    "shop.snapshot.payments": "4",
    "shop.snapshot.cdc_heartbeat": "9",
}
OF_OLTP = {
    "database": "oltp",
    "onto": "aaaaaaaaaaaaaaaa",
    "checkpoint": "43",
    "beat_us": "1795000000000003",
    "snapshot.orders": "10",
    "snapshot.cdc_heartbeat": "12",
    "shop.checkpoint": "7",
    "shop.gtid": "786:10",
    "shop.beat_us": "1795000000000001",
    "shop.at": "2026-11-24T11:59:00+00:00",
    "shop.snapshot.payments": "3",
    "shop.snapshot.cdc_heartbeat": "8",
}
ALONE = {"checkpoint": "1", "snapshot.orders": "3"}
BY_HAND = OF_OLTP | {"by_hand": "backup", "held": "backup", "at": "2026-11-24T11:58:20+00:00"}
del BY_HAND["onto"]


def commit_of(properties: Mapping[str, str]) -> Commit:
    return Commit("ab" * 32, None, AT, "", properties)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        (
            OF_SHOP,
            {
                "checkpoint": 42,
                "tables": {"cdc_heartbeat": 11, "orders": 9, "shop.cdc_heartbeat": 9, "shop.payments": 4},
                "gtid": "0-1-7",
                "beat_us": 1795000000000000,
                "readable_until": "2026-11-24T12:13:19.999750+00:00",
                "moved": "shop",
                "others": {
                    "shop": {
                        "checkpoint": 8,
                        "gtid": "786:11",
                        "beat_us": 1795000000000002,
                        "at": "2026-11-24T12:00:00+00:00",
                    }
                },
            },
        ),
        (
            OF_OLTP,
            {
                "checkpoint": 43,
                "tables": {"cdc_heartbeat": 12, "orders": 10, "shop.cdc_heartbeat": 8, "shop.payments": 3},
                "gtid": None,
                "beat_us": 1795000000000003,
                "readable_until": "2026-11-24T12:15:00+00:00",
                "moved": "oltp",
                "others": {
                    "shop": {
                        "checkpoint": 7,
                        "gtid": "786:10",
                        "beat_us": 1795000000000001,
                        "at": "2026-11-24T11:59:00+00:00",
                    }
                },
            },
        ),
        (
            ALONE,
            {
                "checkpoint": 1,
                "tables": {"orders": 3},
                "gtid": None,
                "beat_us": None,
                "readable_until": "2026-11-24T12:15:00+00:00",
                "moved": "oltp",
                "others": {},
            },
        ),
    ],
)
def test_a_commit_of_an_existing_lake_is_told_as_ever(properties: dict[str, str], told: dict[str, object]) -> None:
    found = read_commit(commit_of(properties), 900)
    assert found is not None
    assert found.as_json() == {"hash": "ab" * 32, "at": "2026-11-24T12:00:00+00:00"} | told


@pytest.mark.parametrize("properties", [OF_SHOP, OF_OLTP], ids=["shop", "oltp"])
def test_a_commit_is_written_as_existing_lakes_hold_it(properties: dict[str, str]) -> None:
    moved, onto = properties["database"], {"onto": properties["onto"]}
    assert properties_of(states_of(commit_of(properties)), moved) | onto == properties


def test_so_is_one_that_was_brought_in_by_hand_and_publishes_no_state_by_itself() -> None:
    by_hand = {"by_hand": "backup", "held": "backup"}
    assert properties_of(states_of(commit_of(BY_HAND))) | by_hand == BY_HAND


def test_the_states_of_a_commit_of_an_existing_lake_are_found_by_the_databases_names() -> None:
    states = states_of(commit_of(BY_HAND))
    assert {name: (state.checkpoint, state.at) for name, state in states.items()} == {
        "oltp": (43, datetime(2026, 11, 24, 11, 58, 20, tzinfo=UTC)),
        "shop": (7, datetime(2026, 11, 24, 11, 59, tzinfo=UTC)),
    }
    assert states["oltp"].snapshots == {"cdc_heartbeat": 12, "orders": 10}
    assert states["shop"].snapshots == {"cdc_heartbeat": 8, "payments": 3}


def test_properties_are_read_back_as_they_were_written() -> None:
    state = DatabaseState(42, "0-1-7", 1_795_000_000_000_000, {"order_items": 8, "orders": 9}, AT)
    properties = properties_of({"oltp": state}, "oltp")
    found = read_commit(Commit("ab" * 32, None, AT, "checkpoint 42", properties), 900)
    assert found is not None
    assert found.states == {"oltp": state} and found.plain == state
    assert found.readable_until == AT + timedelta(seconds=900)
    assert found.is_readable(AT + timedelta(seconds=899)) and not found.is_readable(AT + timedelta(seconds=901))


def test_a_commit_that_is_not_ours_is_no_published_state() -> None:
    assert read_commit(Commit("ab" * 32, None, AT, "create namespace", {}), 900) is None


@pytest.mark.parametrize(("author", "ours"), [("lakeproof", True), ("somebody", False), ("", False)])
def test_what_somebody_else_calls_a_new_namespace_is_not_ours(author: str, ours: bool) -> None:
    assert is_ours(Commit("ab" * 32, None, AT, "create namespace shop", {}, author)) is ours


def test_the_json_shape_is_that_of_the_contract() -> None:
    found = read_commit(commit_of(ALONE), 900)
    assert found is not None
    told = found.as_json()
    assert {"hash", "at", "checkpoint", "tables"} <= told.keys()
    assert told["tables"] == {"orders": 3}


def test_a_commit_tells_where_the_databases_stand_that_it_did_not_move() -> None:
    earlier = AT - timedelta(seconds=100)
    oltp = DatabaseState(42, "0-1-7", 5, {"orders": 9}, earlier)
    shop = DatabaseState(7, "786:10", 6, {"payments": 3}, AT - timedelta(seconds=1))
    properties = properties_of({"oltp": oltp, "shop": shop}, "shop")
    found = read_commit(Commit("ab" * 32, None, AT, "checkpoint 7 of shop", properties), 900)
    assert found is not None
    # The state that it moved is published by this commit, whenever its publisher wrote it down.
    assert (found.moved, found.states) == ("shop", {"oltp": oltp, "shop": replace(shop, at=AT)})
    # MariaDB's files are promised from when that state was published, not from this commit on.
    assert found.readable_until == earlier + timedelta(seconds=900)
    assert (found.beat_of("shop"), found.beat_of("oltp"), found.beat_of("none")) == (6, 5, None)
    assert found.as_json()["tables"] == {"orders": 9, "shop.payments": 3}


def test_a_commit_without_mariadbs_tables_is_no_published_state() -> None:
    properties = properties_of({"shop": DatabaseState(7, None, None, {"payments": 3}, AT)}, "shop")
    assert read_commit(Commit("ab" * 32, None, AT, "", properties), 900) is None
