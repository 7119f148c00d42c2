"""Does the store take writes? The probes that write, and what it leaves behind: nothing. Who else fills it?"""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.probes.object_store import FULL, READ_ONLY, WRITABLE, free_megabytes, lake_writes, strangers, writes
from lakeproof.probes.probe import all_probes
from lakeproof.stack.engines import minio
from lakeproof.stack.object_store import BUCKETS
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay.probes import pending_writes, ready_writes

BUCKET = "<Bucket><Name>{}</Name></Bucket>"
LISTED = "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>"
CONTENTS = "<Contents><Key>k</Key><Size>{}</Size></Contents>"
WORKED_IN = ("/lake/wh/", "/flink/checkpoints/", "/fulfillment-artifacts/ready/", "/fulfillment-artifacts/pending/")


class Store:
    """It keeps objects until `refusing` names a method; that one it answers with this status and code.

    below: refused is only what lies below this path. full: the folders that hold something.
    """

    def __init__(
        self, refusing: str = "", status: int = 200, code: str = "", below: str = "/", full: tuple[str, ...] = ()
    ) -> None:
        self.refusing, self.status, self.code = refusing, status, code
        self.below, self.full = below, full
        self.objects: set[str] = set()
        self.ever: set[str] = set()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if method == "GET":
            where = urlsplit(path)
            folder = f"{where.path}/{parse_qs(where.query)['prefix'][0]}"
            return 200, LISTED.format(CONTENTS.format(1) if folder in self.full else "").encode()
        if method == self.refusing and path.startswith(self.below):
            return self.status, f"<Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()
        if method == "PUT":
            assert body, "a full disk takes an empty object"
            self.objects.add(path)
            self.ever.add(path)
        elif method == "DELETE":
            self.objects.discard(path)
        return (204 if method == "DELETE" else 200), b""


@pytest.fixture
def stack_of(tmp_path: Path, answering: Answering) -> Callable[[Store], Stack]:
    return lambda store: Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": answering(store.answer)}}))


def test_a_store_that_takes_writes_keeps_nothing_of_it(stack_of: Callable[[Store], Stack]) -> None:
    store = Store()
    assert writes(stack_of(store), 3.0) == WRITABLE
    assert store.objects == set()
    (written,) = store.ever
    # In no folder: a store on a folder deletes one with its last object, under the feet of the next who writes.
    assert written.startswith("/flink/lakeproof-probe-") and written.count("/") == 2


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", READ_ONLY),
        (405, "MethodNotAllowed", READ_ONLY),
        (403, "QuotaExceeded", FULL),
        (507, "XMinioStorageFull", FULL),
        (507, "InsufficientStorage", FULL),
        (507, "Anything", FULL),
        # versitygw on a read-only mount, and in an immutable folder.
        (500, "InternalError", "InternalError"),
        (409, "ExistingObjectIsDirectory", "ExistingObjectIsDirectory"),
        (404, "NoSuchBucket", "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_store_that_refuses_is_not_writable(
    stack_of: Callable[[Store], Stack], method: str, status: int, code: str, said: str
) -> None:
    stack = stack_of(Store(method, status, code))
    assert writes(stack, 3.0) == said
    probe = all_probes(OURS)["store-writes"]
    reading = probe.look(stack)
    assert probe.healthy is not None and probe.healthy.holds(reading, reading) is False


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("/lake/", f"lake/wh/: {READ_ONLY}"),
        ("/lake/wh/", f"lake/wh/: {READ_ONLY}"),
        ("/flink/checkpoints/", f"flink/checkpoints/: {READ_ONLY}"),
        ("/fulfillment-artifacts/", WRITABLE),
    ],
)
def test_a_place_of_the_lake_that_takes_no_files_is_told_where_the_bucket_of_flink_takes_them(
    stack_of: Callable[[Store], Stack], below: str, said: str
) -> None:
    store = Store("PUT", 403, "AccessDenied", below, full=WORKED_IN)
    assert writes(stack_of(store), 3.0) == WRITABLE
    assert lake_writes(stack_of(store), 3.0) == said
    assert store.objects == set()


@pytest.mark.parametrize(
    ("below", "ready", "pending"),
    [
        ("/fulfillment-artifacts/pending/", WRITABLE, READ_ONLY),
        ("/fulfillment-artifacts/ready/", READ_ONLY, WRITABLE),
        ("/fulfillment-artifacts/", READ_ONLY, READ_ONLY),
    ],
)
def test_each_folder_of_labels_is_asked_for_itself(
    stack_of: Callable[[Store], Stack], below: str, ready: str, pending: str
) -> None:
    stack = stack_of(Store("PUT", 403, "AccessDenied", below, full=WORKED_IN))
    assert (ready_writes(stack, 3.0), pending_writes(stack, 3.0)) == (ready, pending)


def test_a_folder_that_holds_nothing_is_left_alone_and_its_bucket_asked(stack_of: Callable[[Store], Stack]) -> None:
    """But for pending/, which is empty most of the time."""
    store = Store("PUT", 403, "AccessDenied", "/fulfillment-artifacts/")
    assert ready_writes(stack_of(store), 3.0) == READ_ONLY
    store = Store()
    assert (lake_writes(stack_of(store), 3.0), ready_writes(stack_of(store), 3.0)) == (WRITABLE, WRITABLE)
    assert {path.rpartition("/")[0] for path in store.ever} == {"/lake", "/flink", "/fulfillment-artifacts"}
    assert pending_writes(stack_of(store), 3.0) == WRITABLE
    assert store.objects == set()


@pytest.mark.parametrize(
    ("blocks", "table", "inodes", "said"),
    [(15, 99, 9, FULL), (16, 99, 9, "InternalError"), (16, 99, 0, FULL), (16, 0, 0, "InternalError")],
)
def test_our_own_store_without_room_is_full_whatever_it_calls_that(
    stack_of: Callable[[Store], Stack],
    monkeypatch: pytest.MonkeyPatch,
    blocks: int,
    table: int,
    inodes: int,
    said: str,
) -> None:
    stack = stack_of(Store("PUT", 500, "InternalError"))
    minio.prepare(stack)
    room = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_favail=inodes, f_files=table)
    monkeypatch.setattr(os, "statvfs", lambda folder: room if folder == minio.objects_folder(stack) else None)
    assert writes(stack, 3.0) == said


@pytest.mark.parametrize(
    ("elsewhere", "status", "code", "said"),
    [(False, 403, "AccessDenied", READ_ONLY), (True, 500, "InternalError", "InternalError")],
)
def test_a_full_disk_explains_no_prohibition_and_nothing_of_a_store_elsewhere(
    tmp_path: Path,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,
    status: int,
    code: str,
    said: str,
) -> None:
    store = Store("PUT", status, code)
    settings = Settings(
        mode="external" if elsewhere else "local",
        state_dir=tmp_path,
        endpoints={"minio": {"http": answering(store.answer)}},
        secrets={"s3-access-key": "key", "s3-secret-key": "secret"} if elsewhere else {},
    )
    stack = Stack(settings)
    minio.prepare(stack)
    monkeypatch.setattr(
        os, "statvfs", lambda folder: SimpleNamespace(f_bavail=0, f_frsize=4096, f_favail=0, f_files=9)
    )
    assert writes(stack, 3.0) == said


@pytest.mark.parametrize(("user", "said"), [(0, 80.0), (1000, 20.0)])
def test_root_may_write_what_is_kept_for_root(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, user: int, said: float
) -> None:
    minio.prepare(stack)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_bfree=8, f_bavail=2, f_frsize=10**7))
    assert free_megabytes(stack, 1.0) == said


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"lake": 9_000_000, "flink": 1}, "none"),
        ({"lake": 9_000_000, "empty": 0}, "none"),
        ({"small": 2_000_000, "lake": 9_000_000, "large": 70_000_000}, "large: 70 MB, small: 2 MB"),
    ],
)
def test_only_other_peoples_buckets_are_told_the_largest_first(
    tmp_path: Path, answering: Answering, sizes: dict[str, int], said: str
) -> None:
    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        bucket = path.strip("/").partition("?")[0]
        if not bucket:
            names = "".join(BUCKET.format(name) for name in sizes)
            return 200, f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>".encode()
        assert bucket not in BUCKETS, "what the stack keeps is not listed"
        return 200, LISTED.format(CONTENTS.format(sizes[bucket]) if sizes[bucket] else "").encode()

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": answering(answer)}}))
    assert strangers(stack, 3.0) == said


def test_a_store_that_does_not_answer_is_neither(tmp_path: Path) -> None:
    away = Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": "127.0.0.1:9"}}))
    assert not all_probes(OURS)["store-writes"].look(away, 1.0).answered
