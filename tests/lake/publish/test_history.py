"""What a published commit tells."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakeproof.lake.nessie import Commit
from lakeproof.lake.publish.history import HashExpired, NoSuchHash, find, properties_of, read_commit
from lakeproof.stack.settings import LakeSettings, Settings
from lakeproof.stack.stack import Stack

type Answers = Callable[[str, str, bytes], tuple[int, object]]
type Answering = Callable[[Answers], str]

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


@pytest.mark.parametrize("text", ["", "abc", "not-a-hash!", "main"])
def test_what_is_not_a_hash_is_refused_without_asking(text: str) -> None:
    with pytest.raises(NoSuchHash, match="is not a hash"):
        find(Stack(Settings(name="none")), text)


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


OLD, NEW = "ab" * 32, "cd" * 32
KEPT_SECONDS = 900


def stack_of(answering: Answering, commits: dict[str, float], state_dir: Path) -> Stack:
    """A stack whose Nessie holds these commits: hash → how many seconds ago it was published, newest first."""
    entries = [
        {
            "commitMeta": {
                "hash": name,
                "commitTime": (datetime.now(UTC) - timedelta(seconds=age)).isoformat(),
                "message": "checkpoint",
                "properties": properties_of(1, None, None, {"orders": 3}),
            }
        }
        for name, age in commits.items()
    ]

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        begin = next((place for place, name in enumerate(commits) if f"@{name}" in path), 0)
        return 200, {"logEntries": entries[begin:], "hasMore": False}

    return Stack(
        Settings(
            state_dir=state_dir,
            endpoints={"nessie": {"http": answering(answer)}},
            lake=LakeSettings(readable_seconds=KEPT_SECONDS),
        )
    )


@pytest.mark.parametrize("typed", [OLD, OLD[:8]])
def test_a_hash_past_its_promised_time_has_expired(answering: Answering, tmp_path: Path, typed: str) -> None:
    stack = stack_of(answering, {NEW: 1, OLD: KEPT_SECONDS + 5}, tmp_path)
    with pytest.raises(HashExpired, match=r"was readable until .* UTC \(lake\.readable_seconds = 900\)") as raised:
        find(stack, typed, readable=True)
    assert raised.value.exit_code == 2
    assert "lakeproof lake log" in raised.value.next_action
    # Its place in history can still be looked at.
    assert find(stack, typed).hash == OLD


def test_a_hash_within_its_promised_time_is_readable(answering: Answering, tmp_path: Path) -> None:
    stack = stack_of(answering, {NEW: 1, OLD: KEPT_SECONDS - 60}, tmp_path)
    assert find(stack, OLD, readable=True).hash == OLD


def test_the_newest_hash_never_expires(answering: Answering, tmp_path: Path) -> None:
    stack = stack_of(answering, {NEW: KEPT_SECONDS + 5, OLD: KEPT_SECONDS + 9}, tmp_path)
    assert find(stack, NEW, readable=True).hash == NEW
