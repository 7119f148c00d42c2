"""Which published commit a hash names, and until when it can be read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.conftest import Answering

from lakeproof.lake.publish.commit import BY_HAND, DatabaseState, properties_of
from lakeproof.lake.publish.history import HashExpired, NoSuchHash, find, log, newest, written_above
from lakeproof.stack.settings import LakeSettings, Settings
from lakeproof.stack.stack import Stack


@pytest.mark.parametrize("text", ["", "abc", "not-a-hash!", "main"])
def test_what_is_not_a_hash_is_refused_without_asking(text: str) -> None:
    with pytest.raises(NoSuchHash, match="is not a hash"):
        find(Stack(Settings(name="none")), text)


OLD, NEW = "ab" * 32, "cd" * 32
KEPT_SECONDS = 900
STATE = DatabaseState(1, None, None, {"orders": 3}, datetime.now(UTC))


def stack_of(answering: Answering, commits: dict[str, float], state_dir: Path) -> Stack:
    """A stack whose Nessie holds these commits: hash → how many seconds ago it was published, newest first."""
    entries = [
        {
            "commitMeta": {
                "hash": name,
                "commitTime": (datetime.now(UTC) - timedelta(seconds=age)).isoformat(),
                "message": "checkpoint",
                "properties": properties_of({"oltp": STATE}, "oltp"),
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


PUBLISHED = properties_of({"oltp": STATE}, "oltp")
BY_US = {"commitTime": "2026-11-24T14:43:53Z", "authors": ["lakeproof"]}


@pytest.mark.parametrize(
    ("above", "theirs"),
    [
        ([], None),
        ([("", PUBLISHED), ("create namespace shop", {})], None),
        ([("DELETE FROM orders", {})], "a0"),
        # The publisher may get one more state in upon what somebody wrote.
        ([("", PUBLISHED), ("DELETE FROM orders", {})], "a1"),
        # What is below is put right by hand.
        ([("merge ingest by hand", PUBLISHED | {BY_HAND: "ingest"}), ("DELETE FROM orders", {})], None),
    ],
)
def test_what_somebody_else_wrote_above_a_published_hash_is_known(
    answering: Answering, tmp_path: Path, above: list[tuple[str, dict[str, str]]], theirs: str | None
) -> None:
    named = [(f"a{place}", *each) for place, each in enumerate(above)]
    # What lies below the hash is for the publisher to tell: at the hash it is read, and judged.
    named += [(NEW, "checkpoint", PUBLISHED), ("below", "DROP TABLE orders", {}), (OLD, "checkpoint", PUBLISHED)]
    entries = [
        {"commitMeta": {"hash": name, "message": text, "properties": told} | BY_US} for name, text, told in named
    ]
    url = answering(lambda method, path, body: (200, {"logEntries": entries, "hasMore": False}))
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"nessie": {"http": url}}))
    found = written_above(stack, NEW)
    assert (found and found.hash) == theirs


def test_the_log_ends_with_the_commit_that_is_named(answering: Answering, tmp_path: Path) -> None:
    stack = stack_of(answering, {NEW: 1, "ef" * 32: 2, OLD: 3}, tmp_path)
    assert [commit.hash for commit in log(stack, 1000, down_to="ef" * 32)] == [NEW, "ef" * 32]
    assert [commit.hash for commit in log(stack, 1000, down_to="01" * 32)] == [NEW, "ef" * 32, OLD]


def test_what_was_published_is_found_below_any_number_of_others_commits(answering: Answering, tmp_path: Path) -> None:
    """It was called "nothing was published yet"."""
    entries = [
        {"commitMeta": {"hash": name, "commitTime": "2026-11-24T14:43:53Z", "message": "", "properties": told}}
        for name, told in (*((f"{number:04x}", {}) for number in range(50)), (NEW, PUBLISHED), (OLD, PUBLISHED))
    ]

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked = parse_qs(urlsplit(path).query)
        begin = int(asked.get("page-token", ["0"])[0])
        end = begin + int(asked["max-records"][0])
        return 200, {"logEntries": entries[begin:end], "hasMore": end < len(entries), "token": str(end)}

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"nessie": {"http": answering(answer)}}))
    assert newest(stack).hash == NEW
    assert [commit.hash for commit in log(stack, 2)] == [NEW, OLD]
