"""Each file is read whole, from where its row says; what cannot be read is unknown, never in order. No engine."""

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import reading_attachments
from lakeproof_shop.proof.claims.facts import AttachmentFact, Store
from lakeproof_shop.proof.claims.reading_attachments import read_attachments
from lakeproof_shop.services.support.archive import Archive, NotInArchive
from lakeproof_shop.services.support.file_store import FileStore, attachment_dir

BYTES = b"what the customer sent"
SHA256 = hashlib.sha256(BYTES).hexdigest()
ALL = frozenset(Store)


class Rows:
    """The table of attachments, and a folder for those that are local."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.rows = stack, list[tuple[Any, ...]]()

    def add(self, place: str, content: bytes | None = BYTES) -> uuid.UUID:
        file = uuid.uuid4()
        path = FileStore(attachment_dir(self.stack)).path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
        self.rows.append((len(self.rows) + 1, 7, file, place, len(BYTES), SHA256, 9))
        return file

    def read(self, there: frozenset[Store] = ALL) -> tuple[AttachmentFact, ...]:
        self.told: list[str] = []
        found = read_attachments(self.stack, there, 7, self.told.append)
        assert found["all_attachments"] == 9
        attachments: tuple[AttachmentFact, ...] = found["attachments"]
        return attachments


@pytest.fixture
def rows(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Rows:
    made = Rows(stack)

    def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
        return made.rows

    monkeypatch.setattr(reading_attachments, "rows_of", rows_of)
    monkeypatch.setattr(reading_attachments, "s3_client", lambda stack, timeout_seconds: None)
    return made


def archive_gives(monkeypatch: pytest.MonkeyPatch, *pieces: bytes, error: NotInArchive | None = None) -> None:
    def chunks(self: Archive, case_id: int, file: uuid.UUID) -> Iterator[bytes]:
        yield from pieces
        if error is not None:
            raise error

    monkeypatch.setattr(Archive, "chunks", chunks)


def test_a_file_is_told_by_its_own_bytes_wherever_it_lies(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    archive_gives(monkeypatch, BYTES[:5], BYTES[5:])
    for place, content in (("local", BYTES), ("archive", None), ("local", BYTES[:-1] + b"T"), ("local", None)):
        rows.add(place, content)
    changed = hashlib.sha256(BYTES[:-1] + b"T").hexdigest()
    expected = [(len(BYTES), SHA256), (len(BYTES), SHA256), (len(BYTES), changed), (-1, "")]
    assert [(one.found_size, one.found_sha256) for one in rows.read()] == expected


def test_an_object_that_is_gone_is_told_and_an_archive_that_is_away_is_unknown(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.add("archive", None)
    gone, away = NotInArchive("NoSuchKey"), NotInArchive("no answer")
    gone.is_absent = True
    archive_gives(monkeypatch, error=gone)
    assert [one.found_size for one in rows.read()] == [-1]
    archive_gives(monkeypatch, BYTES[:5], error=away)  # in the middle of a file
    with pytest.raises(CouldNotLook, match="no answer"):
        rows.read()
    with pytest.raises(CouldNotLook, match="no part of this stack"):
        rows.read(ALL - {Store.LABELS})


def test_a_file_that_cannot_be_read_is_unknown_and_so_is_one_that_nobody_says_where_it_lies(rows: Rows) -> None:
    file = rows.add("local", None)
    FileStore(attachment_dir(rows.stack)).path(file).mkdir()
    with pytest.raises(CouldNotLook, match=str(file)):
        rows.read()


def test_what_is_too_much_to_read_is_left_out_and_what_is_read_is_told_meanwhile(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        rows.add("local")
    monkeypatch.setattr(reading_attachments, "TOLD_EVERY_SECONDS", -1.0)
    monkeypatch.setattr(reading_attachments, "BYTES_AT_MOST", 2 * len(BYTES))
    assert len(rows.read()) == 2
    assert rows.told == ["shop: 1 of 3 attachments are read", "shop: 2 of 3 attachments are read"]
    monkeypatch.setattr(reading_attachments, "SECONDS_AT_MOST", 0.0)
    with pytest.raises(CouldNotLook, match="no file was read"):
        rows.read()
