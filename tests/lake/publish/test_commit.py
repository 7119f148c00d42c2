"""What a published commit tells."""

from datetime import UTC, datetime, timedelta

from lakeproof.lake.nessie import Commit
from lakeproof.lake.publish.commit import properties_of, read_commit

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_properties_are_read_back_as_they_were_written() -> None:
    properties = properties_of(42, "0-1-7", 1_795_000_000_000_000, {"orders": 9, "order_items": 8})
    found = read_commit(Commit("ab" * 32, None, AT, "checkpoint 42", properties), 900)
    assert found is not None
    assert (found.checkpoint, found.gtid, found.beat_us) == (42, "0-1-7", 1_795_000_000_000_000)
    assert found.snapshots == {"order_items": 8, "orders": 9}
    assert found.readable_until == AT + timedelta(seconds=900)
    assert found.is_readable(AT + timedelta(seconds=899)) and not found.is_readable(AT + timedelta(seconds=901))


def test_a_commit_that_is_not_ours_is_no_published_state() -> None:
    assert read_commit(Commit("ab" * 32, None, AT, "create namespace", {}), 900) is None


def test_the_json_shape_is_that_of_the_contract() -> None:
    found = read_commit(Commit("ab" * 32, None, AT, "", properties_of(1, None, None, {"orders": 3})), 900)
    assert found is not None
    told = found.as_json()
    assert {"hash", "at", "checkpoint", "tables"} <= told.keys()
    assert told["tables"] == {"orders": 3}


def test_a_commit_tells_where_the_databases_stand_that_it_did_not_move() -> None:
    earlier = AT - timedelta(seconds=100)
    properties = (
        properties_of(42, "0-1-7", 5, {"orders": 9}, at=earlier)
        | properties_of(7, "786:10", 6, {"payments": 3}, database="shop")
        | {"database": "shop"}
    )
    found = read_commit(Commit("ab" * 32, None, AT, "checkpoint 7 of shop", properties), 900)
    assert found is not None
    assert (found.moved, found.checkpoint, found.snapshots) == ("shop", 42, {"orders": 9})
    # MariaDB's files are promised from when that state was published, not from this commit on.
    assert found.readable_until == earlier + timedelta(seconds=900)
    shop = found.others["shop"]
    assert (shop.checkpoint, shop.gtid, shop.at) == (7, "786:10", AT)
    assert (found.beat_of("shop"), found.beat_of("oltp"), found.beat_of("none")) == (6, 5, None)
    assert found.as_json()["tables"] == {"orders": 9, "shop.payments": 3}


def test_a_commit_without_mariadbs_tables_is_no_published_state() -> None:
    properties = properties_of(7, None, None, {"payments": 3}, database="shop")
    assert read_commit(Commit("ab" * 32, None, AT, "", properties), 900) is None
