"""Reads a file's pieces in threads of its own, each within a limit: a source that hangs blocks no other's threads."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

THREADS = 8


class PieceLate(Exception):
    """A piece did not come in time: the source hangs, or all threads are taken by other readers."""


class PieceReader:
    """The threads for one source. `seconds`: the limit for a piece, with the wait for a thread.

    The thread of a piece that was given up goes on until the source's own time limit ends it.
    """

    def __init__(self, source: str, seconds: float) -> None:
        self._source, self._seconds = source, seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=source)

    def close(self) -> None:
        """Take no further pieces; the reads under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def next(self, pieces: Iterator[bytes]) -> bytes:
        """The next piece, empty at the end. Raises: PieceLate, and what the iterator raises."""
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, next, pieces, b"")
        except TimeoutError as error:
            raise PieceLate(f"no piece from the {self._source} within {self._seconds:g} s") from error
