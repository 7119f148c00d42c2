"""The messages that the sink has accepted, in one SQLite file. A message is on the disk before it is acknowledged.

Messages that arrive together share one transaction, and so one fsync. The file is bounded: when it holds too many
messages or bytes, the older half of them goes. A repeat is recognised as long as its message is kept, which is true
of the newest `max_messages / 2` at least, unless large messages fill the file earlier.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from lakeproof.errors import TerminalError
from lakeproof_shop.services.mail_sink.messages import Channel, Message

MAX_MESSAGES = 100_000
MAX_BYTES = 128 << 20
MAX_WAITING = 2_000
LOCK_SECONDS = 2.0  # how long a write waits for another process that has locked the file

# AUTOINCREMENT: no number comes twice, so a reader's `after` stays good when all messages were cleared.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  message_id TEXT NOT NULL,
  sender TEXT NOT NULL,
  recipients TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  at TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  repeats INTEGER NOT NULL DEFAULT 0,
  UNIQUE (message_id, channel)
) STRICT
"""
_KEEP = """
INSERT INTO messages (channel, message_id, sender, recipients, subject, body, at, trace_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id, channel) DO UPDATE SET repeats = repeats + 1 RETURNING repeats
"""
_FIND = """
SELECT channel, message_id, sender, recipients, subject, body, at, trace_id, seq, repeats FROM messages
WHERE seq > :after AND (:channel IS NULL OR channel = :channel)
  AND (:to IS NULL OR EXISTS (SELECT 1 FROM json_each(recipients) WHERE value = :to))
"""
_FORGET_OLDER_HALF = """
DELETE FROM messages
WHERE seq <= (SELECT seq FROM messages ORDER BY seq LIMIT 1 OFFSET (SELECT (count(*) - 1) / 2 FROM messages))
"""
_COUNT = "SELECT count(*), COALESCE(sum(repeats), 0) FROM messages"

type Waiting = tuple[Message, asyncio.Future[bool]]


class NotKept(Exception):
    """The message is not on the disk: the disk did not take it, or too many messages wait for the disk."""


def _no_counts() -> dict[Channel, int]:
    return {"email": 0, "webhook": 0}


@dataclass
class Counts:
    """What the sink has taken since its start, and how many messages it has let go for want of room."""

    accepted: dict[Channel, int] = field(default_factory=_no_counts)
    repeats: dict[Channel, int] = field(default_factory=_no_counts)
    forgotten: int = 0


class MessageLog:
    """The messages in `folder`. Call `open()` first, inside the event loop, and `close()` at the end."""

    def __init__(self, folder: Path, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_messages, self._max_bytes = folder / "messages.sqlite", max_messages, max_bytes
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()  # held while a thread uses the writing connection
        self._closing = False
        self._count = (0, 0)
        self.counts = Counts()
        self.problem = ""

    def open(self) -> None:
        """Open the file, or make it, and start to write. Raises: TerminalError where it is no such file, OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o640))
        try:
            self._writer = self._connect()
            # FULL: each commit is fsynced. NORMAL would lose the newest commits in a power cut.
            for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _SCHEMA):
                self._writer.execute(line)
            self._count = self._writer.execute(_COUNT).fetchone()
        except sqlite3.DatabaseError as error:
            raise TerminalError(
                f"the sink's messages cannot be opened: {error}",
                where=str(self._path),
                next_action="move the file away, or end the process that holds it",
            ) from error
        self._task = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Write the messages that wait, then close the file."""
        self._closing = True
        self._wake.set()
        await self._task
        self._writer.close()

    async def accept(self, message: Message) -> bool:
        """Keep the message. True: it is new. False: it was there before, and one more repeat of it is counted.

        Either is on the disk when this returns. Raises: NotKept.
        """
        if len(self._waiting) >= MAX_WAITING or self._closing:
            raise NotKept(f"{len(self._waiting)} messages wait for the disk")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((message.cut(), done))
        self._wake.set()
        return await done

    async def clear(self) -> int:
        """Forget all messages; how many there were. Raises: sqlite3.Error."""
        async with self._writing:
            forgotten = await asyncio.to_thread(lambda: self._writer.execute("DELETE FROM messages").rowcount)
            self._count = (0, 0)
        return forgotten

    async def disk_problem(self) -> str:
        """Why the last write failed, or "" if it did not. After a failure a write is tried now, because no sender may
        come to try one.
        """
        if self.problem:
            async with self._writing:
                with contextlib.suppress(sqlite3.Error):
                    await asyncio.to_thread(self._writer.execute, "PRAGMA user_version = 1")  # a write of one page
                    self.problem = ""
        return self.problem

    async def find(
        self,
        limit: int,
        *,
        to: str | None = None,
        channel: Channel | None = None,
        message_id: str | None = None,
        after: int = 0,
    ) -> list[Message]:
        """The oldest `limit` kept messages that fit and have a number above `after`. Raises: sqlite3.Error."""
        query = _FIND if message_id is None else f"{_FIND} AND message_id = :message_id"
        values = {"to": to, "channel": channel, "message_id": message_id, "after": after, "limit": limit}

        def read() -> list[Message]:
            with contextlib.closing(self._connect()) as connection:
                rows = connection.execute(f"{query} ORDER BY seq LIMIT :limit", values).fetchall()
            return [Message(row[0], row[1], row[2], tuple(orjson.loads(row[3])), *row[4:]) for row in rows]

        return await asyncio.to_thread(read)

    def count(self) -> tuple[int, int]:
        """(messages kept, repeats of them)."""
        return self._count

    @property
    def bytes(self) -> int:
        """The size of the file and its write-ahead log."""
        return sum(path.stat().st_size for path in self._path.parent.glob(f"{self._path.name}*"))

    def _connect(self) -> sqlite3.Connection:
        # Autocommit: transactions are begun by hand. Several threads use one connection, one at a time.
        return sqlite3.connect(self._path, LOCK_SECONDS, isolation_level=None, check_same_thread=False)

    async def _write_all(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            async with self._writing:
                batch, self._waiting = self._waiting, []
                if batch:
                    await self._write(batch)

    async def _write(self, batch: Sequence[Waiting]) -> None:
        try:
            is_new = await asyncio.to_thread(self._keep, [message for message, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, the senders must hear of it
            self.problem = f"cannot write to {self._path.name}: {error}"
            for _, done in batch:
                if not done.done():
                    done.set_exception(NotKept(str(error)))
            return
        self.problem = ""
        for (message, done), new in zip(batch, is_new, strict=True):
            (self.counts.accepted if new else self.counts.repeats)[message.channel] += 1
            if not done.done():  # the sender may have hung up
                done.set_result(new)

    def _keep(self, messages: Sequence[Message]) -> list[bool]:
        """Commit the messages. Gives for each whether it is new. Raises: sqlite3.Error; then none of them is kept."""
        with self._transaction():
            repeats = [self._writer.execute(_KEEP, _values(message)).fetchone()[0] for message in messages]
            new = repeats.count(0)
            count = (self._count[0] + new, self._count[1] + len(messages) - new)
            forgotten = 0
            if count[0] > self._max_messages or self._bytes_in_use() > self._max_bytes:
                forgotten = self._writer.execute(_FORGET_OLDER_HALF).rowcount
                count = self._writer.execute(_COUNT).fetchone()
        self._count = count
        self.counts.forgotten += forgotten
        return [number == 0 for number in repeats]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:  # a full disk may have rolled it back already
                self._writer.execute("ROLLBACK")
            raise

    def _bytes_in_use(self) -> int:
        """Bytes of the file's pages that hold something: pages of deleted messages are filled again."""
        pages, free, size = (
            self._writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def _values(message: Message) -> tuple[str, ...]:
    recipients = orjson.dumps(message.to).decode()
    return (
        *(message.channel, message.message_id, message.sender, recipients),
        *(message.subject, message.body, message.at, message.trace_id),
    )
