"""Does the store take writes? The one probe that writes, and what it leaves behind: nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.probes.object_store import FULL, READ_ONLY, WRITABLE, writes
from lakeproof.probes.probe import all_probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type Answering = Callable[[Callable[[str, str, bytes], tuple[int, object]]], str]


class Store:
    """It keeps objects until `refusing` names a method; that one it answers with this status and code."""

    def __init__(self, refusing: str = "", status: int = 200, code: str = "") -> None:
        self.refusing, self.status, self.code = refusing, status, code
        self.objects: set[str] = set()
        self.ever: set[str] = set()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if method == self.refusing:
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
    probe = all_probes()["store-writes"]
    reading = probe.look(stack)
    assert probe.healthy is not None and probe.healthy.holds(reading, reading) is False


def test_a_store_that_does_not_answer_is_neither(tmp_path: Path) -> None:
    away = Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": "127.0.0.1:9"}}))
    assert not all_probes()["store-writes"].look(away, 1.0).answered
