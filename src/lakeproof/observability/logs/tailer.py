"""One log on its way to the store: its bytes become entries, each with its position in the log's stream."""

import time
from collections.abc import Iterator
from pathlib import Path

from lakeproof.observability.logs.entry import Entry, make_entry
from lakeproof.processes import logfile

# An entry's longest text in bytes; a longer line becomes several. Log stores refuse more than 256 KiB, and a byte
# that is no UTF-8 becomes three.
ENTRY_BYTES = 80 * 1024
READ_BYTES = 256 * 1024
# How long an entry is held back for further lines of it, and a line for its end.
TRACE_SECONDS = 1.0
LINE_SECONDS = 10.0

type Range = tuple[int, int]


class Tailer:
    """Reads on from `position` of the stream.

    `stored`: ranges of the stream that the log store has already; they are passed over.
    """

    def __init__(self, name: str, path: Path, position: int) -> None:
        self.name, self.path, self.position = name, path, position
        self.stored: list[Range] = []
        self._lost: list[Range] = []
        self._rest = b""
        self._open: Entry | None = None
        self._grew = time.monotonic()
        self._seen: tuple[int, ...] = ()

    @property
    def lost_bytes(self) -> int:
        """How many bytes were gone from the files before they were read."""
        return sum(ends - begins for begins, ends in self._lost)

    def lose(self, stored: list[Range], begins: int, ends: int) -> None:
        """Note that these bytes are gone, but for those in `stored`. Bytes that are noted again count once."""
        self._lost = merged([*self._lost, *_without(stored, begins, ends)])

    def go_back(self, position: int) -> None:
        """Read anew from `position`."""
        self.position, self._rest, self._open, self._seen, self.stored = position, b"", None, (), []

    def entries(self, now: float, *, ending: bool = False) -> Iterator[Entry]:
        """The entries of the next piece of the log. None come where there is nothing new.

        ending: nothing more will come, so what is held back is given too.
        """
        chunk = self._read()
        clock = time.monotonic()
        if chunk:
            self._grew = clock
            begins = self.position - len(self._rest)
            self._rest += chunk
            self.position += len(chunk)
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                yield from self._take(line, begins, len(line) + 1, now)
                begins += len(line) + 1
            while len(self._rest) > ENTRY_BYTES:
                piece = _whole_characters(self._rest[:ENTRY_BYTES])
                self._rest = self._rest[len(piece) :]
                yield from self._take(piece, begins, len(piece), now)
                begins += len(piece)
            return
        quiet = clock - self._grew
        if self._rest and (ending or quiet > LINE_SECONDS):
            rest, self._rest = self._rest, b""
            yield from self._take(rest, self.position - len(rest), len(rest), now)
        if self._open is not None and (ending or quiet > TRACE_SECONDS):
            entry, self._open = self._open, None
            yield entry

    def _read(self) -> bytes:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return b""
        seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if seen == self._seen:
            return b""
        found, chunk = logfile.read(self.path, self.position, READ_BYTES)
        if not chunk:
            self._seen = seen
        elif found != self.position:
            self.lose(self.stored, self.position - len(self._rest), found)
            self.position, self._rest = found, b""
            return b""  # the caller first asks the store what it has from there on
        return chunk

    def _take(self, line: bytes, begins: int, length: int, now: float) -> Iterator[Entry]:
        """The entries that are complete with these bytes, of which some may be stored already."""
        for start, end in _without(self.stored, begins, begins + length):
            for at in range(start, end, ENTRY_BYTES):
                until = min(at + ENTRY_BYTES, end)
                text = line[at - begins : until - begins].decode(errors="replace").removesuffix("\r")
                entry = self._open
                fits = entry is not None and entry.ends == at and until - entry.begins <= ENTRY_BYTES
                if entry is not None and fits and entry.takes(text):
                    entry.add(text, until)
                    continue
                if entry is not None:
                    yield entry
                self._open = make_entry(text, at, until, now)
        if self._open is not None and self._open.ends < begins + length:  # the next bytes were stored already
            entry, self._open = self._open, None
            yield entry


def merged(ranges: list[Range]) -> list[Range]:
    """The same bytes in few ranges, in their order."""
    found: list[Range] = []
    for begins, ends in sorted(ranges):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def _without(stored: list[Range], begins: int, ends: int) -> Iterator[Range]:
    """The parts of begins to ends that are in no stored range. Ranges that end before `begins` are dropped."""
    while stored and stored[0][1] <= begins:
        stored.pop(0)
    at = begins
    for start, end in stored:
        if start >= ends:
            break
        if start > at:
            yield at, start
        at = max(at, end)
    if at < ends:
        yield at, ends


def _whole_characters(piece: bytes) -> bytes:
    """The piece without the UTF-8 character at its end that may be cut off."""
    for back in range(1, 4):
        if piece[-back] >= 0xC0:
            return piece[:-back]
        if piece[-back] < 0x80:
            break
    return piece
