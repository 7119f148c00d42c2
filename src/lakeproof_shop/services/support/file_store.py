"""Attachments on disk: written to a temporary file, fsynced, then renamed; named by a uuid of our own.

DIR/incoming/UUID      a file that is being written
DIR/files/ab/UUID      a whole file
DIR/aside/UUID         a whole file without a row (caretaker.py)
"""

import asyncio
import contextlib
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack
from lakeproof.written import sync_folder
from lakeproof_shop.services.support.content import ContentLook

BUFFER_BYTES = 256 * 1024
ROOM_KEPT_BYTES = 64 * 1024 * 1024  # free bytes that uploads leave to everything else on this disk
ABANDON_SECONDS = 2.0  # how long a caller whose upload failed waits for the deletion of the file


def attachment_dir(stack: Stack) -> Path:
    """The folder of the attachments: the setting, or the stack's own folder.

    Raises: InvalidInput for somebody else's stack without the setting: its attachments are in no folder of ours.
    """
    given = stack.settings.support.support_attachment_dir
    if given is None and stack.settings.mode == "external":
        raise InvalidInput(
            "it is not known where somebody else's support service keeps attachments",
            where="support.support_attachment_dir",
            next_action="set support_attachment_dir under [support] in lakeproof.toml, or"
            " LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR",
        )
    return given or stack.data_dir("support-service") / "attachments"


class NoRoom(Exception):
    """The disk is nearly full, or a write to it failed."""


class TooLarge(Exception):
    """The file has more bytes than an attachment may have."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole file under its final name. `content_type` None: its type is not accepted."""

    file: uuid.UUID
    size: int
    sha256: str
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The number of files in the folder, and their bytes."""

    files: int
    bytes: int


class FileStore:
    """The files in one folder, which is made with the first file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, file: uuid.UUID) -> Path:
        """The path of a whole file, made of the uuid alone."""
        name = file.hex
        return self._folder / "files" / name[:2] / name

    def incoming(self, max_bytes: int) -> "IncomingFile":
        """A new file to write. Raises: NoRoom."""
        file = uuid.uuid4()
        temporary = self._folder / "incoming" / file.hex
        temporary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        room = os.statvfs(temporary.parent)
        if room.f_bavail * room.f_frsize < ROOM_KEPT_BYTES + max_bytes:
            raise NoRoom(f"less than {ROOM_KEPT_BYTES + max_bytes} bytes are free")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return IncomingFile(file, temporary, self.path(file), os.fdopen(descriptor, "wb"), max_bytes)

    def chunks(self, file: uuid.UUID) -> Iterator[bytes]:
        """A file's bytes in pieces. Once begun, a read goes on if the file is deleted. Raises: FileNotFoundError."""
        with self.path(file).open("rb") as opened:
            while piece := opened.read(BUFFER_BYTES):
                yield piece

    def delete(self, file: uuid.UUID) -> None:
        """Delete a whole file; fine where there is none."""
        self.path(file).unlink(missing_ok=True)

    def set_aside(self, file: uuid.UUID) -> None:
        """Move a whole file to DIR/aside, where it is kept."""
        aside = self._folder / "aside" / file.hex
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path(file).rename(aside)

    def stored(self) -> Stored:
        """Count the whole files and those that are being written."""
        sizes = [size for _, size, _ in self._entries("files")] + [size for _, size, _ in self._entries("incoming")]
        return Stored(len(sizes), sum(sizes))

    def older_than(self, seconds: float) -> list[uuid.UUID]:
        """Whole files that were written more than `seconds` ago."""
        return [file for file, _, age in self._entries("files") if age > seconds]

    def drop_abandoned(self, seconds: float) -> int:
        """Delete incoming files untouched for more than `seconds`: they were being written when a process died."""
        old = [file for file, _, age in self._entries("incoming") if age > seconds]
        for file in old:
            (self._folder / "incoming" / file.hex).unlink(missing_ok=True)
        return len(old)

    def _entries(self, part: str) -> Iterator[tuple[uuid.UUID, int, float]]:
        now = time.time()
        for folder, _, names in os.walk(self._folder / part):
            for name in names:
                with contextlib.suppress(ValueError, FileNotFoundError):  # not a file of ours, or gone meanwhile
                    about = (Path(folder) / name).stat()
                    yield uuid.UUID(hex=name), about.st_size, now - about.st_mtime


class IncomingFile:
    """A file while its bytes arrive: counted up to `max_bytes`, hashed, looked at; never as a whole in memory."""

    def __init__(self, file: uuid.UUID, temporary: Path, final: Path, opened: BinaryIO, max_bytes: int) -> None:
        self._file, self._temporary, self._final = file, temporary, final
        self._opened, self._max_bytes = opened, max_bytes
        self._digest, self._look = hashlib.sha256(), ContentLook()
        self._size = 0
        self._buffer = bytearray()
        self._at_work = threading.Lock()  # held by the thread that works on the file

    async def write(self, data: bytes) -> None:
        """Write the next bytes. Raises: TooLarge, NoRoom."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge(f"an attachment may have at most {self._max_bytes} bytes")
        self._buffer += data
        if len(self._buffer) >= BUFFER_BYTES:
            await self._flush()

    async def finish(self) -> Received:
        """Fsync the file, and give it its final name. Raises: NoRoom."""
        await self._flush()
        try:
            await asyncio.to_thread(self._settle)
        except OSError as error:
            raise NoRoom(str(error)) from error
        return Received(self._file, self._size, self._digest.hexdigest(), self._look.content_type())

    async def abandon(self) -> None:
        """Close and delete the file, be it finished or not, once a step that was given up has ended in its thread.

        Where the disk hangs, this ends after ABANDON_SECONDS, and the file is deleted when the disk answers.
        """
        dropping = asyncio.get_running_loop().run_in_executor(None, self._drop)
        await asyncio.wait((dropping,), timeout=ABANDON_SECONDS)

    async def _flush(self) -> None:
        piece, self._buffer = bytes(self._buffer), bytearray()
        try:
            await asyncio.to_thread(self._take, piece)
        except OSError as error:
            raise NoRoom(str(error)) from error

    def _take(self, piece: bytes) -> None:
        with self._at_work:
            self._digest.update(piece)
            self._look.feed(piece)
            self._opened.write(piece)

    def _settle(self) -> None:
        with self._at_work:
            self._opened.flush()
            os.fsync(self._opened.fileno())
            self._opened.close()
            self._final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._temporary.rename(self._final)
            sync_folder(self._final.parent)
            sync_folder(self._final.parent.parent)

    def _drop(self) -> None:
        with self._at_work:
            with contextlib.suppress(OSError):  # closing writes once more what a full disk has refused
                self._opened.close()
            self._temporary.unlink(missing_ok=True)
            self._final.unlink(missing_ok=True)
