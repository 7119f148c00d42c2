"""The accepted messages: append-only, on the disk before the sender hears of it, bounded, each kept once.

Messages that arrive together share one fsync. The log is at most two files; when the newer one is full, the older one
goes, with the memory of its messages: a repeat is recognised among the newest `per_segment` messages at least.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from lakeproof.shop.mail_sink.messages import Channel, Message
from lakeproof.shop.mail_sink.segment import Segment

PER_SEGMENT = 50_000
SEGMENT_BYTES = 64 << 20
WAITING_MAX = 2_000
_TRIED = b'{"tried":true}\n'

type Waiting = tuple[Message, asyncio.Future[bool]]


class SinkFull(Exception):
    """More messages wait for the disk than the sink holds."""


@dataclass(slots=True)
class _Kept:
    """What is held in memory of a message; the rest is in its segment."""

    segment: Segment
    offset: int
    length: int
    seq: int
    to: tuple[str, ...]
    repeats: int = 0


def _no_counts() -> dict[Channel, int]:
    return {"email": 0, "webhook": 0}


@dataclass
class Counts:
    """What the sink has taken since it was started, and what it let go."""

    accepted: dict[Channel, int] = field(default_factory=_no_counts)
    repeats: dict[Channel, int] = field(default_factory=_no_counts)
    forgotten: int = 0


class MessageLog:
    """The messages in `folder`. `open()` before anything else, inside the event loop; `close()` at the end."""

    def __init__(self, folder: Path, *, per_segment: int = PER_SEGMENT, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder, self._per_segment, self._segment_bytes = folder, per_segment, segment_bytes
        self._segments: list[Segment] = []
        self._kept: dict[str, _Kept] = {}
        self._next_seq = 1
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._disk = asyncio.Lock()  # one at a time writes, tries or empties
        self._closing = False
        self._writer: asyncio.Task[None] | None = None
        self.counts = Counts()
        self.problem = ""

    def open(self) -> None:
        """Read what is there and start to write. Raises: TerminalError for rubbish in a file, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("*.jsonl")):
            self._load(Segment(path))
        if not self._segments:
            self._segments.append(self._new_segment())
        self._writer = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Write what waits, then close the files."""
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await self._writer
        for segment in self._segments:
            segment.close()

    async def accept(self, message: Message) -> bool:
        """Keep the message. True: it is new; False: it was there before, and one more repeat is counted.

        Either is on the disk when this returns. Raises: OSError where the disk does not take it, SinkFull.
        """
        if len(self._waiting) >= WAITING_MAX or self._closing:
            raise SinkFull(f"{len(self._waiting)} messages wait for the disk")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((message.cut(), done))
        self._wake.set()
        return await done

    async def clear(self) -> int:
        """Forget everything; how many messages there were. Raises: OSError."""
        async with self._disk:
            fresh = self._new_segment()
            for segment in self._segments:
                segment.close(remove=True)
            forgotten = len(self._kept)
            self._segments, self._kept = [fresh], {}
        return forgotten

    async def disk_problem(self) -> str:
        """Why the last write failed, tried once more now, for nobody else may send anything; "" where it did not."""
        if self.problem:
            async with self._disk:
                with suppress(OSError):
                    await asyncio.to_thread(self._segments[-1].append, [_TRIED])
                    self.problem = ""
        return self.problem

    def messages(
        self, *, to: str | None = None, channel: Channel | None = None, message_id: str | None = None, after: int = 0
    ) -> Iterator[Message]:
        """The kept messages that fit, numbered above `after`, oldest first. Raises: OSError."""
        ids = [f"{one}:{message_id}" for one in ("email", "webhook")]
        kept_by_key = self._kept if message_id is None else {key: self._kept[key] for key in ids if key in self._kept}
        for key, kept in list(kept_by_key.items()):
            fits = kept.seq > after and (to is None or to in kept.to)
            if fits and (channel is None or key.startswith(f"{channel}:")):
                yield replace(Message.from_line(kept.segment.read(kept.offset, kept.length)), repeats=kept.repeats)

    def count(self) -> tuple[int, int]:
        """(messages kept, repeats of them)."""
        return len(self._kept), sum(kept.repeats for kept in self._kept.values())

    @property
    def bytes(self) -> int:
        """On the disk."""
        return sum(segment.bytes for segment in self._segments)

    async def _write_all(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            async with self._disk:
                batch, self._waiting = self._waiting, []
                if batch:
                    await self._write(batch)

    async def _write(self, batch: list[Waiting]) -> None:
        new: dict[str, int] = {}
        lines: list[bytes] = []
        for message, _ in batch:
            if message.key in self._kept or message.key in new:
                lines.append(orjson.dumps({"repeat": message.key}) + b"\n")
            else:
                lines.append(replace(message, seq=self._next_seq + len(new)).to_line())
                new[message.key] = len(lines) - 1
        try:
            segment = self._segment_with_room()
            offsets = await asyncio.to_thread(segment.append, lines)
        except OSError as error:
            self.problem = f"cannot write after {self._segments[-1].path.name}: {error.strerror}"
            for _, done in batch:
                if not done.done():
                    done.set_exception(OSError(error.errno, error.strerror))
            return
        self.problem = ""
        for number, (message, done) in enumerate(batch):
            is_new = new.get(message.key) == number
            if is_new:
                self._keep(message, _Kept(segment, offsets[number], len(lines[number]), self._next_seq, message.to))
            else:
                self._kept[message.key].repeats += 1
            (self.counts.accepted if is_new else self.counts.repeats)[message.channel] += 1
            if not done.done():  # the sender may have hung up
                done.set_result(is_new)

    def _segment_with_room(self) -> Segment:
        newest = self._segments[-1]
        if newest.messages < self._per_segment and newest.bytes < self._segment_bytes:
            return newest
        self._segments.append(self._new_segment())
        while len(self._segments) > 2:
            oldest = self._segments.pop(0)
            gone = [key for key, kept in self._kept.items() if kept.segment is oldest]
            for key in gone:
                del self._kept[key]
            self.counts.forgotten += len(gone)
            oldest.close(remove=True)
        return self._segments[-1]

    def _new_segment(self) -> Segment:
        last = int(self._segments[-1].path.stem) if self._segments else 0
        return Segment(self._folder / f"{last + 1:08d}.jsonl")

    def _load(self, segment: Segment) -> None:
        self._segments.append(segment)
        for offset, length, line in segment.lines():
            if "message_id" in line:
                message = Message.from_line(line)
                self._keep(message, _Kept(segment, offset, length, message.seq, message.to))
            elif line.get("repeat") in self._kept:
                self._kept[line["repeat"]].repeats += 1

    def _keep(self, message: Message, kept: _Kept) -> None:
        self._kept[message.key] = kept
        kept.segment.messages += 1
        self._next_seq = kept.seq + 1
