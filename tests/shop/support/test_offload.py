"""Two people move attachments into the object store at once: what one has moved is no failure of the other."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lakeproof_shop.services.support.attachment_store import StoredFile
from lakeproof_shop.services.support.file_store import FileStore
from lakeproof_shop.services.support.models import Place
from lakeproof_shop.services.support.offload import Offload, Offloaded

BYTES = b"a photo"
SHA256 = hashlib.sha256(BYTES).hexdigest()


class Rows:
    """The rows of all attachments, with their places. meanwhile: is done once this run has read its batch."""

    def __init__(self, stored: Sequence[StoredFile]) -> None:
        self.places = dict.fromkeys(stored, Place.LOCAL)
        self.meanwhile: Callable[[], None] = lambda: None

    async def due(self, age_seconds: float, after_id: int, limit: int) -> list[StoredFile]:
        batch = [one for one, place in self.places.items() if place == Place.LOCAL and one.id > after_id]
        self.meanwhile()
        return batch

    async def archived(self, stored: StoredFile) -> bool:
        before, self.places[stored] = self.places[stored], Place.ARCHIVE
        return before == Place.LOCAL

    async def known(self, files: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[StoredFile, str]]:
        return {one.file: (one, place) for one, place in self.places.items() if one.file in files}


class Store:
    """An archive. putting: is done before it opens the file. reading: is done before the copy is read back."""

    def __init__(self) -> None:
        self.putting: Callable[[], None] = lambda: None
        self.reading: Callable[[], None] = lambda: None

    def put(self, case_id: int, file: uuid.UUID, path: Path, sha256: str) -> None:
        self.putting()
        path.read_bytes()

    def sha256(self, case_id: int, file: uuid.UUID) -> str:
        self.reading()
        return SHA256


class Support:
    """Two attachments in a folder, and another run that moves the first of them when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.files = FileStore(folder)
        self.stored = [StoredFile(number, 7, len(BYTES), SHA256, uuid.uuid4()) for number in (1, 2)]
        for one in self.stored:
            path = self.files.path(one.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(BYTES)
        self.rows, self.store = Rows(self.stored), Store()

    def another_run(self) -> None:
        self.rows.places[self.stored[0]] = Place.ARCHIVE
        self.files.delete(self.stored[0].file)

    async def offload(self) -> Offloaded:
        given: Any = (self.rows, self.files, self.store, lambda text: None)
        return await Offload(*given).run(0.0, dry_run=False)


@pytest.fixture
def support(tmp_path: Path) -> Support:
    return Support(tmp_path)


@pytest.mark.parametrize("when", ["before it is read", "before it is sent", "before its row is marked"])
async def test_what_another_run_has_moved_meanwhile_is_counted_as_such(support: Support, when: str) -> None:
    if when == "before it is read":
        support.rows.meanwhile = support.another_run
    elif when == "before it is sent":
        support.store.putting = support.another_run
    else:
        support.store.reading = support.another_run
    done = await support.offload()
    assert done.failed == []
    assert (done.candidates, done.moved, done.moved_by_another) == (2, 1, 1)
    assert done.to_json()["movedByAnother"] == 1


async def test_a_file_that_is_gone_while_its_row_says_local_stays_a_failure(support: Support) -> None:
    support.files.delete(support.stored[0].file)
    done = await support.offload()
    assert [one["attachment"] for one in done.failed] == [1]
    assert (done.moved, done.moved_by_another) == (1, 0)
