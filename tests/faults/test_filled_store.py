"""Who fills the store: never another disk than the one that was made for it, and not for ever. A store made up.

The whole fault runs on a real store in tests/engines/test_minio.py.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.stack.engines import store_disk
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure import dump, faults
from lakeproof_shop.scenarios.lake_commit_failure.faults import ARCHIVE


class Exists(Exception):
    """Of a bucket."""


class Store:
    """room: bytes that are left. `freed`: what somebody deletes before each look."""

    exceptions = SimpleNamespace(BucketAlreadyOwnedByYou=Exists, BucketAlreadyExists=Exists)

    def __init__(self, room: int) -> None:
        self.room = room
        self.freed = [0] * 40
        self.keys: list[str] = []

    def create_bucket(self, Bucket: str) -> None:
        raise Exists

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        if len(Body) > self.room:
            raise ClientError({"ResponseMetadata": {"HTTPStatusCode": 507}}, "PutObject")
        self.room -= len(Body)
        self.keys.append(Key)

    def head_object(self, Bucket: str, Key: str) -> None:
        if Key not in self.keys:
            raise ClientError({"ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")

    def pause(self, seconds: float) -> None:
        assert self.freed, "it goes on for ever"
        self.room += self.freed.pop()


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(store_disk, "is_filled_alone", lambda stack: True)
    return Stack(Settings(state_dir=tmp_path))


def fill(stack: Stack, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump.time, "sleep", store.pause)  # type: ignore[attr-defined]
    dump.dump(stack, store)


def test_it_takes_what_others_free_until_its_own_is_taken_away(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(9_000_000)
    store.freed[-3] = 70_000
    looks = 0

    def pause(seconds: float) -> None:
        nonlocal looks
        looks += 1
        assert store.room < dump.SMALLEST, "it is full after each round"
        Store.pause(store, seconds)
        if looks == 5:
            store.keys.remove(dump.FIRST)

    store.pause = pause  # type: ignore[method-assign]
    fill(stack, store, monkeypatch)
    assert looks == 5


def test_it_begins_later_where_the_store_is_full_at_first(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(100)
    store.freed[-2] = 50_000
    with pytest.raises(AssertionError, match="for ever"):
        fill(stack, store, monkeypatch)
    assert dump.FIRST in store.keys and store.room < dump.SMALLEST


def test_a_store_that_is_too_full_for_the_bucket_does_not_end_the_dump(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(9_000_000)
    store.freed[-2] = 50_000
    refusals = [ClientError({"ResponseMetadata": {"HTTPStatusCode": 507}}, "CreateBucket")]

    def create_bucket(Bucket: str) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(store, "create_bucket", create_bucket)
    with pytest.raises(AssertionError, match="for ever"):
        fill(stack, store, monkeypatch)
    assert dump.FIRST in store.keys


def test_put_in_once_more_it_goes_on_where_it_was(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(0)
    store.keys.append(dump.FIRST)
    store.pause = lambda seconds: store.keys.remove(dump.FIRST)  # type: ignore[method-assign]
    fill(stack, store, monkeypatch)
    assert store.keys == []


def test_no_other_disk_is_filled(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed in (0, 1, 3):
        left = [True] * allowed
        monkeypatch.setattr(store_disk, "is_filled_alone", lambda stack, left=left: bool(left) and left.pop())
        store = Store(1 << 40)
        fill(stack, store, monkeypatch)
        assert len(store.keys) <= allowed


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("lakeproof-fault-dump-20261201T120000123456.tar", True),
        ("lakeproof-fault-dump-of-anna-20261201T120000123456.tar", False),
        ("lakeproof-fault-dump-20261201T120000123456.tar.kept", False),
    ],
)
def test_only_archives_of_the_dump_go_with_the_fault(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str, ours: bool
) -> None:
    monkeypatch.setattr(store_disk, "was_moved", lambda stack: True)
    monkeypatch.setattr(store_disk, "give_back", lambda stack, leave: None)
    archive = moved_out_folder(stack) / name
    archive.parent.mkdir(parents=True)
    archive.touch()
    faults.FilledStore().remove(stack)
    assert archive.exists() is not ours
    assert bool(ARCHIVE.fullmatch(name)) is ours


def test_a_fault_that_was_never_in_takes_nothing_out(stack: Stack) -> None:
    archive = moved_out_folder(stack) / "lakeproof-fault-dump-20261201T120000123456.tar"
    archive.parent.mkdir(parents=True)
    archive.touch()
    faults.FilledStore().remove(stack)
    assert archive.exists()
