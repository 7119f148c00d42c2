"""One file of the log: JSON lines, appended and fsynced, read back by their places.

A line is a message, `{"repeat": KEY}` for one that came again, or `{"tried": true}`, written to find out whether the
disk takes anything again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from lakeproof.errors import TerminalError


class Segment:
    """An open file. `append` is called by one thread at a time; `read` by any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)  # else a power cut may take the file itself
        os.close(folder)
        self.bytes = 0
        self.messages = 0

    def lines(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Every whole line as (offset, length, content); a torn last one, which was never acknowledged, is cut off.

        Raises: TerminalError for rubbish elsewhere, with its place.
        """
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        offset = 0
        for number, line in enumerate(content[:whole].splitlines(keepends=True), start=1):
            try:
                parsed = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise TerminalError(
                    f"line {number} is not JSON", where=str(self.path), next_action="move the file away, or mend it"
                ) from error
            yield offset, len(line), parsed
            offset += len(line)
        self.bytes = whole

    def append(self, lines: Sequence[bytes]) -> list[int]:
        """Write the lines and make them durable; where each begins. On an error nothing of them stays.

        Raises: OSError.
        """
        offsets, end = [], self.bytes
        for line in lines:
            offsets.append(end)
            end += len(line)
        try:
            content = memoryview(b"".join(lines))
            while content:
                content = content[os.write(self._file, content) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.bytes)
            raise
        self.bytes = end
        return offsets

    def read(self, offset: int, length: int) -> dict[str, Any]:
        """One line. Raises: OSError."""
        found: dict[str, Any] = orjson.loads(os.pread(self._file, length, offset))
        return found

    def close(self, *, remove: bool = False) -> None:
        """Close the file; `remove` also deletes it."""
        os.close(self._file)
        if remove:
            self.path.unlink(missing_ok=True)
