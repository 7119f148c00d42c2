"""Attachments: no name is a path, the bytes say what a file is, and a cut upload leaves nothing."""

import asyncio
import hashlib
import io
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from tests.shop.support.names import PLAIN, TRAVERSALS

from lakeproof_shop.services.support import file_store
from lakeproof_shop.services.support.content import ContentLook
from lakeproof_shop.services.support.file_store import FileStore, IncomingFile, Received
from lakeproof_shop.services.support.requests import what_is_wrong_with
from lakeproof_shop.services.support.upload import receive
from lakeproof_shop.serving.refusal import Refusal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
KIND = "multipart/form-data; boundary=xx"


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_name_that_is_a_path_somewhere_is_refused(name: str) -> None:
    assert what_is_wrong_with(name)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_name_is_taken(name: str) -> None:
    assert what_is_wrong_with(name) == ""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "image/jpeg"),
        (b"GIF89a" + bytes(40), "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        ("chữ thường\r\n\tvà tab".encode(), "text/plain"),
        (b"<html><script>alert(1)</script></html>", "text/plain"),
        (b"\x7fELF" + bytes(40), None),
        (b"MZ\x90\x00" + bytes(40), None),
        (b"PK\x03\x04" + bytes(40), None),
        (b"text, then \x00", None),
        (b"\xc3", None),  # half a character
        (b"", None),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_the_bytes_say_what_a_file_is(data: bytes, found: str | None, piece: int) -> None:
    look = ContentLook()
    for start in range(0, len(data), piece):
        look.feed(data[start : start + piece])
    assert look.content_type() == found


def form(name: str, content: bytes, field: str = "file") -> bytes:
    shown = name.replace("\\", "\\\\").replace('"', '\\"')
    head = f'--xx\r\nContent-Disposition: form-data; name="{field}"; filename="{shown}"\r\n\r\n'
    return head.encode() + content + b"\r\n--xx--\r\n"


async def pieces(body: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def upload(folder: Path, body: bytes, *, kind: str | None = KIND, max_bytes: int = 10_000) -> Received:
    _, received = await receive(pieces(body), kind, FileStore(folder), max_bytes=max_bytes, seconds=60)
    return received


def left_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


async def test_a_file_is_whole_under_a_name_of_our_own(tmp_path: Path) -> None:
    received = await upload(tmp_path, form("photo.png", PNG))
    assert (received.size, received.content_type) == (len(PNG), "image/png")
    assert received.sha256 == hashlib.sha256(PNG).hexdigest()
    assert [path.relative_to(tmp_path) for path in left_in(tmp_path)] == [
        Path("files", received.file.hex[:2], received.file.hex)
    ]
    assert FileStore(tmp_path).path(received.file).read_bytes() == PNG


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_where_the_body_is_cut_into_pieces_does_not_matter(tmp_path: Path, size: int) -> None:
    body = form("photo.png", PNG)
    _, received = await receive(pieces(body, size), KIND, FileStore(tmp_path), max_bytes=10_000, seconds=60)
    assert received.sha256 == hashlib.sha256(PNG).hexdigest()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (form("big.png", PNG * 10), KIND, 413),
        (form("cut.png", PNG)[:-20], KIND, 400),
        (form("photo.png", PNG, field="other"), KIND, 400),
        (form("../x.png", PNG), KIND, 422),
        (form("one.png", PNG)[:-6] + b"\r\n" + form("two.png", PNG), KIND, 400),
        (b"rubbish", KIND, 400),
        (b"", KIND, 400),
        (b"--xx--\r\n", KIND, 400),
        (b"--xx\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--xx--\r\n", KIND, 400),
        (b"--xx\r\nX: " + b"y" * 9000 + b"\r\n\r\nx\r\n--xx--\r\n", KIND, 400),
        (form("photo.png", PNG), "application/json", 415),
        (form("photo.png", PNG), None, 415),
        (form("photo.png", PNG), "multipart/form-data", 415),
    ],
)
async def test_what_is_refused_leaves_nothing(tmp_path: Path, body: bytes, kind: str | None, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        await upload(tmp_path, body, kind=kind)
    assert (refused.value.status, list(left_in(tmp_path))) == (status, [])


async def test_an_upload_that_never_ends_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield form("slow.png", PNG)[:200]
        await asyncio.Event().wait()

    with pytest.raises(Refusal) as refused:
        await receive(drip(), KIND, FileStore(tmp_path), max_bytes=10_000, seconds=0.1)
    assert (refused.value.status, list(left_in(tmp_path))) == (408, [])


async def test_a_caller_who_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield form("slow.png", PNG)[:200]
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(receive(drip(), KIND, FileStore(tmp_path), max_bytes=10_000, seconds=60))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(left_in(tmp_path)) == []


class Disk(FileStore):
    """`opened` opens the file of each upload for writing."""

    def __init__(self, folder: Path, opened: Callable[[Path], BinaryIO]) -> None:
        super().__init__(folder)
        self._opened = opened

    def incoming(self, max_bytes: int) -> IncomingFile:
        file = uuid.uuid4()
        temporary = self.path(file).with_suffix(".part")
        temporary.parent.mkdir(parents=True)
        temporary.touch()
        return IncomingFile(file, temporary, self.path(file), self._opened(temporary), max_bytes)


async def test_a_full_disk_is_told_as_no_room_and_keeps_no_part_of_the_file(tmp_path: Path) -> None:
    def full(_: Path) -> BinaryIO:
        return Path("/dev/full").open("wb")  # refuses each write, also the one of its closing

    disk = Disk(tmp_path, full)
    with pytest.raises(Refusal) as refused:
        await receive(pieces(form("photo.png", PNG)), KIND, disk, max_bytes=10_000, seconds=60)
    assert (refused.value.status, list(left_in(tmp_path))) == (507, [])


async def test_the_service_goes_on_while_the_disk_hangs_in_an_upload_that_was_given_up(tmp_path: Path) -> None:
    answers = threading.Event()

    class Hanging(io.FileIO):
        def write(self, data: Any) -> int:
            answers.wait(5)
            return super().write(data)

    disk = Disk(tmp_path, lambda path: io.BufferedWriter(Hanging(path, "wb")))
    asyncio.get_running_loop().call_later(0.2, answers.set)
    with pytest.raises(Refusal) as refused:
        await receive(pieces(form("photo.png", PNG)), KIND, disk, max_bytes=10_000, seconds=0.05)
    assert (refused.value.status, answers.is_set(), list(left_in(tmp_path))) == (408, True, [])


async def test_an_upload_that_is_cut_off_while_its_file_gets_its_name_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, go_on = threading.Event(), threading.Event()

    def hang(_: Path) -> None:
        named.set()
        go_on.wait(5)

    monkeypatch.setattr(file_store, "sync_folder", hang)
    body = pieces(form("photo.png", PNG))
    task = asyncio.create_task(receive(body, KIND, FileStore(tmp_path), max_bytes=10_000, seconds=60))
    await asyncio.to_thread(named.wait, 5)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(left_in(tmp_path)) == []


async def test_a_folder_is_counted_and_what_was_cut_off_is_dropped(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    received = await upload(tmp_path, form("photo.png", PNG))
    (tmp_path / "incoming" / uuid.uuid4().hex).write_bytes(b"half")
    (tmp_path / "files" / "not-ours").write_bytes(b"x")
    assert (store.stored().files, store.stored().bytes) == (2, len(PNG) + 4)
    assert store.drop_abandoned(3600) == 0
    assert store.drop_abandoned(-1) == 1
    assert store.older_than(-1) == [received.file]
    store.set_aside(received.file)
    assert store.stored().files == 0
    assert (tmp_path / "aside" / received.file.hex).read_bytes() == PNG
