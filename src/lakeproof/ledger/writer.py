"""Writes the ledger: lines become durable in groups, and an answer is believed only once its line is durable."""

import asyncio
import os
from pathlib import Path
from typing import Protocol, Self

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.held_file import try_hold
from lakeproof.written import sync_folder

HELD_SECONDS = 30.0


class LedgerBroken(TerminalError):
    """A line could not be made durable (disk full, read-only): nothing after it may be believed."""


class Written(Protocol):
    """Something that a ledger stores as one line."""

    def to_bytes(self) -> bytes:
        """One line with its newline."""


class Ledger:
    """The writing side of one new run, in `folder`. Made and used inside one running event loop.

    `group_seconds`: how long a line may wait for others before the shared fsync starts.
    """

    def __init__(self, folder: Path, run: str, *, group_seconds: float = 0.02) -> None:
        """Make the run's file. Raises: InvalidInput where the run exists, LedgerBroken where it cannot be made."""
        self.path = path = folder / f"{run}.jsonl"
        self.run = run
        self._group_seconds = group_seconds
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._broken: LedgerBroken | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            # The lock on the file is held for as long as the run lives. Only after that may others settle the calls
            # that the run left open. A process that looks for ended runs may lock the new file for a moment.
            Deadline(HELD_SECONDS).wait_for(f"the ledger {path}", lambda: try_hold(self._file), every=0.01)
            sync_folder(path.parent)
        except FileExistsError as error:
            raise InvalidInput(
                "a run of that name has a ledger", where=str(path), next_action="use another run"
            ) from error
        except OSError as error:
            raise _broken(path, error) from error
        self._durable_bytes = 0

    async def append(self, line: Written) -> None:
        """Write `line`; returns when it is durable. Raises: LedgerBroken, also for every later line."""
        if self._broken is not None:
            raise self._broken
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line.to_bytes(), done))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush_until_empty())
        # A cancelled caller must not take its line out of the group that others wait for.
        await asyncio.shield(done)

    async def _flush_until_empty(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._group_seconds)
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, b"".join(data for data, _ in group))
            except OSError as error:
                self._broken = _broken(self.path, error)
                group, self._waiting = group + self._waiting, []
                for _, done in group:
                    if not done.done():
                        done.set_exception(self._broken)
                        done.exception()  # marks it as read: a cancelled caller never reads it
                break
            for _, done in group:
                if not done.done():
                    done.set_result(None)
        self._flusher = None

    def _write(self, data: bytes) -> None:
        """Write one group and make it durable; where that fails, cut it off the file again. Raises: OSError."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._durable_bytes)
            raise
        self._durable_bytes += len(data)

    async def close(self) -> None:
        """Wait for the lines under way, then close the file. Safe to repeat."""
        if self._flusher is not None:
            await self._flusher
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _broken(path: Path, error: OSError) -> LedgerBroken:
    return LedgerBroken(
        f"the ledger cannot be written: {error.strerror}",
        where=str(path),
        next_action="free space or give a writable state folder; what was written before stays valid",
    )
