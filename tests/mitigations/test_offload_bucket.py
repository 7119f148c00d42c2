"""A stranger's bucket is moved out of a full store: all of it, byte for byte, or nothing of it is deleted.

The store is made up; a real one is filled, and cleared so, in tests/engines/test_minio.py.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from lakeproof.errors import InvalidInput, LakeproofError, TerminalError, TransientError
from lakeproof.held_file import try_hold
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.object_store import BUCKETS
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.telling import Telling
from lakeproof_shop.scenarios.lake_commit_failure import repairs
from lakeproof_shop.scenarios.lake_commit_failure.repairs import KEY

KEPT = {
    "a": b"one",
    "a b/c": b"two" * 1000,
    "../out": b"three",
    "/absolute": b"four",
    "đơn hàng/ü": b"five",
    "k" * 900: b"six",
    "folder/": b"",
    "thư mục/": b"",
    "empty": b"",
}


class Store:
    """`then`: called after each object was read, with its key, as another's write. `held`: nobody may touch them."""

    def __init__(self) -> None:
        self.objects = dict(KEPT)
        self.then: Callable[[str], None] = lambda key: None
        self.held: set[str] = set()
        self.untagged: set[str] = set()

    def etag(self, key: str) -> str:
        if key in self.untagged:
            return '""'
        return f'"{hash(self.objects[key])}"'

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return SimpleNamespace(paginate=self.pages)

    def pages(self, Bucket: str) -> Iterator[dict[str, Any]]:
        assert Bucket == "dump"
        for key in list(self.objects):
            yield {"Contents": [{"Key": key, "Size": len(self.objects[key]), "ETag": self.etag(key)}]}
        yield {}

    def get_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:
        self.require(Key, IfMatch, "GetObject")
        body = self.objects[Key]
        self.then(Key)
        told = {"ContentType": "text/x-kept", "Metadata": {"owner": Key[:9]}, "ContentEncoding": ""}
        return told | {"Body": io.BytesIO(body), "ContentLength": len(body), "LastModified": datetime.now(UTC)}

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> None:
        self.require(Key, IfMatch, "DeleteObject")
        del self.objects[Key]

    def require(self, key: str, etag: str, call: str) -> None:
        if key in self.held:
            raise refusal("AccessDenied", 403, call)
        if key not in self.objects:
            raise refusal("NoSuchKey", 404, call)
        if etag != self.etag(key):
            raise refusal("PreconditionFailed", 412, call)


def refusal(code: str, status: int, call: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, call)


@pytest.fixture
def store(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    made = Store()
    monkeypatch.setattr(repairs, "s3_client", lambda stack, timeout_seconds: made)
    monkeypatch.setattr(repairs, "other_buckets", lambda stack, timeout, seconds: ({"dump": 7, "small": 2}, True))
    elsewhere = tmp_path / "store"
    elsewhere.mkdir()
    real = Path.stat
    other = SimpleNamespace(st_dev=-1)
    monkeypatch.setattr(Path, "stat", lambda path, **how: other if path == elsewhere else real(path, **how))
    monkeypatch.setattr(repairs, "objects_folder", lambda stack: elsewhere)
    return made


def archived(stack: Stack) -> dict[str, bytes]:
    (archive,) = moved_out_folder(stack).glob("*.tar")
    with tarfile.open(archive) as tar:
        return {member.pax_headers[KEY]: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


def test_every_object_is_in_the_archive_before_it_is_gone(stack: Stack, store: Store) -> None:
    said = repairs.OffloadBucket().run(stack)
    assert archived(stack) == KEPT
    assert store.objects == {}
    assert said.startswith(f"{len(KEPT)} objects of dump")
    assert "dump holds nothing" in repairs.OffloadBucket(bucket="dump").run(stack)


def test_what_is_written_anew_or_deleted_before_it_was_read_is_left_alone(stack: Stack, store: Store) -> None:
    def write_first(key: str) -> None:
        if key == "a":  # the first one
            store.objects["empty"] = b"not any more"
            del store.objects["../out"]

    store.then = write_first
    said = repairs.OffloadBucket().run(stack)
    assert store.objects == {"empty": b"not any more"}
    assert "2 were left alone" in said
    assert archived(stack) == {key: body for key, body in KEPT.items() if key not in ("empty", "../out")}


def test_what_nobody_may_touch_ends_it_and_nothing_is_lost(stack: Stack, store: Store) -> None:
    store.held = {"empty"}
    with pytest.raises(TerminalError, match="AccessDenied"):
        repairs.OffloadBucket().run(stack)
    assert store.objects == KEPT
    assert list(moved_out_folder(stack).iterdir()) == []


def test_an_entry_has_what_its_owner_told_of_the_object(stack: Stack, store: Store) -> None:
    repairs.OffloadBucket().run(stack)
    (archive,) = moved_out_folder(stack).glob("*.tar")
    with tarfile.open(archive) as tar:
        told = tar.getmember("a").pax_headers["LAKEPROOF.s3"]
    assert json.loads(told) == {"ContentType": "text/x-kept", "Metadata": {"owner": "a"}}


def test_what_has_no_etag_is_left_alone(stack: Stack, store: Store) -> None:
    """Nothing could tell whether it is as it was archived."""
    store.untagged = {"a"}
    assert "1 were left alone" in repairs.OffloadBucket().run(stack)
    assert store.objects == {"a": KEPT["a"]}


def test_two_archives_of_one_moment_are_two(stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    monkeypatch.setattr(repairs, "datetime", SimpleNamespace(now=lambda zone: moment))
    repairs.OffloadBucket().run(stack)
    store.objects = dict(KEPT)
    with pytest.raises(TerminalError, match="File exists"):
        repairs.OffloadBucket().run(stack)
    assert store.objects == KEPT
    assert archived(stack) == KEPT


def test_the_archive_may_lie_elsewhere(stack: Stack, store: Store, tmp_path: Path) -> None:
    said = repairs.OffloadBucket(folder=str(tmp_path / "other")).run(stack)
    assert f"lie in {tmp_path}/other/dump-" in said
    assert not moved_out_folder(stack).exists()


def test_what_is_written_anew_after_it_was_read_stays(stack: Stack, store: Store) -> None:
    def write_first(key: str) -> None:
        if key == "empty":  # the last one
            store.objects["a"] = b"newer"

    store.then = write_first
    said = repairs.OffloadBucket().run(stack)
    assert store.objects == {"a": b"newer"}
    assert "1 were left alone" in said
    assert archived(stack) == KEPT


def test_an_archive_that_is_otherwise_than_the_store_deletes_nothing(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tarfile.TarFile.addfile

    def other(tar: tarfile.TarFile, member: tarfile.TarInfo, stream: Any) -> None:
        body = stream.read(member.size)
        real(tar, member, io.BytesIO(body.replace(b"one", b"ONE")))

    monkeypatch.setattr(tarfile.TarFile, "addfile", other)
    with pytest.raises(TerminalError, match="'a' otherwise"):
        repairs.OffloadBucket().run(stack)
    assert store.objects == KEPT
    assert list(moved_out_folder(stack).iterdir()) == [], "what was not compared does not look whole"


@pytest.mark.parametrize(
    ("free", "words"), [(5_000, "would leave less than"), (10**9, "")], ids=["no room", "room enough"]
)
def test_it_leaves_a_tenth_of_the_other_disk_free(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch, free: int, words: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free, total=20_000))
    if words:
        with pytest.raises(TerminalError, match=words):
            repairs.OffloadBucket().run(stack)
        assert store.objects == KEPT
    else:
        repairs.OffloadBucket().run(stack)


def test_room_is_wanted_for_the_headers_of_many_small_objects_too(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.objects = {f"small-{at}": b"x" for at in range(100)}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=150_000, total=200_000))
    with pytest.raises(TerminalError, match="would leave less than"):
        repairs.OffloadBucket().run(stack)
    monkeypatch.undo()
    made = repairs.Archived()
    with tarfile.open(fileobj=(archive := io.BytesIO()), mode="w", format=tarfile.PAX_FORMAT) as tar:
        for key in store.objects:
            repairs._add(tar, key, store.get_object("dump", key, store.etag(key)), made)
    assert len(archive.getvalue()) > 150_000, "what it refused would not have had room"


def test_an_archive_whose_name_may_not_be_on_the_disk_is_named_and_nothing_is_deleted(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(repairs, "sync_folder", broken)
    with pytest.raises(TerminalError, match="Input/output error") as ended:
        repairs.OffloadBucket().run(stack)
    (archive,) = moved_out_folder(stack).iterdir()
    assert f"lie in {archive}" in str(ended.value)
    assert (store.objects, archived(stack)) == (KEPT, KEPT)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (refusal("AccessDenied", 403, "DeleteObject"), TerminalError),
        (ConnectTimeoutError(endpoint_url="http://store"), TransientError),
    ],
)
def test_an_end_amid_the_deletes_names_the_archive_that_holds_the_only_copies(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch, wrong: Exception, kind: type[LakeproofError]
) -> None:
    real = store.delete_object

    def delete(Bucket: str, Key: str, IfMatch: str) -> None:
        if Key == "empty":  # the last one
            raise wrong
        real(Bucket, Key, IfMatch)

    monkeypatch.setattr(store, "delete_object", delete)
    told: list[str] = []
    with pytest.raises(kind) as first, Telling("lakeproof_shop.scenarios", told.append, ""):
        repairs.OffloadBucket().run(stack)
    (archive,) = moved_out_folder(stack).iterdir()
    assert f"lie in {archive}, and what was deleted by now lies there alone" in str(first.value)
    assert f"lie in {archive}, and are deleted in the store now" in told[0]
    assert (store.objects, archived(stack)) == ({"empty": b""}, KEPT)


def test_a_repeat_names_the_archives_of_before(stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed amid its deletes told nobody where they are."""
    repairs.OffloadBucket().run(stack)
    (first,) = moved_out_folder(stack).iterdir()
    (moved_out_folder(stack) / f"dump-2{first.name.removeprefix('dump')}").touch()  # another bucket's
    told = f"of before there are {first}"
    assert repairs.OffloadBucket(bucket="dump").run(stack).endswith(told)
    store.objects = dict(KEPT)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5_000, total=20_000))
    with pytest.raises(TerminalError, match=told):
        repairs.OffloadBucket().run(stack)
    monkeypatch.setattr(repairs, "other_buckets", lambda stack, timeout, seconds: ({}, True))
    with pytest.raises(TerminalError, match=rf"holds anything; of before there are .*{first}"):
        repairs.OffloadBucket().run(stack)


def test_what_a_killed_run_left_half_written_is_removed_and_what_a_living_one_writes_is_not(
    stack: Stack, store: Store
) -> None:
    folder = moved_out_folder(stack)
    folder.mkdir(parents=True)
    dead, living = (folder / f"dump-20261201T00000000000{at}.partial" for at in (1, 2))
    kept = folder / "dump-mine.partial"
    for path in (dead, kept):
        path.touch()
    with living.open("xb") as stream:
        assert try_hold(stream.fileno())
        assert f"of before there are {living};" in repairs.OffloadBucket().run(stack)
        assert sorted(folder.glob("*.partial")) == [living, kept]
    repairs.OffloadBucket().run(stack)
    assert sorted(folder.glob("*.partial")) == [kept]


def test_an_archive_is_held_until_it_has_its_name(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another run would take it for a dead one's."""
    real = repairs._compare

    def compare(partial: Path, digests: Mapping[str, str]) -> None:
        repairs._remove_dead_partials(partial.parent, "dump")
        real(partial, digests)

    monkeypatch.setattr(repairs, "_compare", compare)
    repairs.OffloadBucket().run(stack)
    assert archived(stack) == KEPT


def test_the_stores_own_disk_takes_no_archive(
    stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(repairs, "objects_folder", lambda stack: tmp_path)
    with pytest.raises(TerminalError, match="disk of the store itself"):
        repairs.OffloadBucket().run(stack)
    assert store.objects == KEPT


@pytest.mark.parametrize("bucket", BUCKETS)
def test_no_bucket_of_the_stacks_own_is_touched(stack: Stack, store: Store, bucket: str) -> None:
    step = repairs.OffloadBucket(bucket=bucket)
    for call in (step.typed, step.run):
        with pytest.raises(InvalidInput, match="of this stack"):
            call(stack)


def test_the_proposal_names_the_largest_and_holds_to_it(stack: Stack, store: Store) -> None:
    assert repairs.OffloadBucket().hold(stack) == {"only": "dump"}
    assert "s3://dump FOLDER" in repairs.OffloadBucket(only="dump").typed(stack)
    with pytest.raises(TerminalError, match="was not named"):
        repairs.OffloadBucket(only="another").run(stack)
    assert store.objects == KEPT


def test_somebody_elses_store_is_not_cleared(tmp_path: Path) -> None:
    elsewhere = Stack(Settings(state_dir=tmp_path, mode="external", endpoints={"minio": {"http": "127.0.0.1:9"}}))
    with pytest.raises(InvalidInput, match="somebody else's"):
        repairs.OffloadBucket(bucket="dump").run(elsewhere)
