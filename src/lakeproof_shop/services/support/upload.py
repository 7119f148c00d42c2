"""Writes an upload (multipart/form-data, one part `file`) to the disk as it arrives, never into memory as a whole."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lakeproof_shop.services.support.file_store import FileStore, IncomingFile, NoRoom, Received, TooLarge
from lakeproof_shop.services.support.requests import what_is_wrong_with
from lakeproof_shop.serving.refusal import Refusal

FIELD = "file"
MAX_HEADER_BYTES = 4096
AROUND_BYTES = 16 * 1024  # the most that a body has beside its file: boundaries, headers


class Upload:
    """The parser of one body. `found` gets what it finds, in order: ("name", str), ("data", bytes), ("end", b"")."""

    def __init__(self, boundary: bytes) -> None:
        self.found: deque[tuple[str, Any]] = deque()
        self.ended = False
        self._header, self._value, self._headers = bytearray(), bytearray(), dict[bytes, bytes]()
        self._parts = self._header_bytes = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._on_data,
                "on_part_end": lambda: self.found.append(("end", b"")),
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the body. Raises: Refusal 400 where they are no such body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _wrong(f"the body is no multipart/form-data: {error}") from error

    def _begin(self) -> None:
        self._parts += 1
        self._headers = {}
        if self._parts > 1:
            raise _wrong(f"one part, {FIELD}, and no other")

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise _wrong("the part's headers are too long")

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        if b"\\" in disposition.replace(b'\\"', b""):  # the parser would make a plain name of C:\\path\\name
            raise _bad_name("a name holds no path")
        kind, options = parse_options_header(disposition)
        if kind != b"form-data" or options.get(b"name") != FIELD.encode():
            raise _wrong(f"the part's name must be {FIELD}")
        given = options.get(b"filename")
        if given is None:
            raise _wrong("the part has no file name")
        try:
            name = given.decode("utf-8")
        except UnicodeDecodeError:
            raise _wrong("the file's name is not UTF-8") from None
        if problem := what_is_wrong_with(name):
            raise _bad_name(problem)
        self.found.append(("name", name))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self.found.append(("data", data[start:end]))

    def _end(self) -> None:
        self.ended = True


def _wrong(text: str) -> Refusal:
    return Refusal(400, "not_multipart", text, headers={"connection": "close"})


def _bad_name(problem: str) -> Refusal:
    return Refusal(422, "invalid", f"filename: {problem}", fields=(("filename", problem),))


def boundary_of(content_type: str | None) -> bytes:
    """The boundary in a Content-Type. Raises: Refusal 415 for another kind of body."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        text = f"send multipart/form-data with one part, {FIELD}"
        raise Refusal(415, "not_multipart", text, headers={"connection": "close"})
    return boundary


async def receive(
    body: AsyncIterator[bytes], content_type: str | None, store: FileStore, *, max_bytes: int, seconds: float
) -> tuple[str, Received]:
    """Receive an upload. Gives the file's name and the whole file on the disk. After a failure the file is deleted;
    one that was only just being made when the upload was cut off is left to the caretaker.

    Raises: Refusal (400, 408, 413, 415, 422, 507).
    """
    upload = Upload(boundary_of(content_type))
    incoming: list[IncomingFile] = []
    try:
        async with asyncio.timeout(seconds):
            name = await _take(body, upload, store, incoming, max_bytes)
            return name, await incoming[0].finish()
    except BaseException as error:
        for each in incoming:
            await each.abandon()
        if isinstance(error, TooLarge):
            raise Refusal(413, "attachment_too_large", str(error), headers={"connection": "close"}) from error
        if isinstance(error, NoRoom):
            raise Refusal(507, "no_room", f"no room for attachments: {error}") from error
        if isinstance(error, TimeoutError):
            text = f"no whole file within {seconds:g} s"
            raise Refusal(408, "body_timeout", text, headers={"connection": "close"}) from error
        raise


async def _take(
    body: AsyncIterator[bytes], upload: Upload, store: FileStore, incoming: list[IncomingFile], max_bytes: int
) -> str:
    name = ""
    async for chunk in body:
        upload.feed(chunk)
        while upload.found:
            kind, value = upload.found.popleft()
            if kind == "name":
                name = value
                incoming.append(await asyncio.to_thread(store.incoming, max_bytes))
            elif kind == "data":
                await incoming[0].write(value)
    if not upload.ended or not incoming:
        raise _wrong("the body ended before its last boundary")
    return name
