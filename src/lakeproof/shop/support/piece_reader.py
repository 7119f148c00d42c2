"""Reads a file's pieces in threads of its own, each in its time: a store that hangs takes nobody else's thread."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

THREADS = 8


class PieceLate(Exception):
    """No piece within its time: the source hangs, or more readers wait than it has threads."""


class PieceReader:
    """For one source. `seconds`: a piece that has not come by then is given up, the wait for a thread included.

    The thread of a piece that was given up goes on until the source's own time limit ends it.
    """

    def __init__(self, source: str, seconds: float) -> None:
        self._source, self._seconds = source, seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=source)

    def close(self) -> None:
        """No further pieces; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def next(self, pieces: Iterator[bytes]) -> bytes:
        """The next piece, empty at the end. Raises: PieceLate, and what the iterator raises."""
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, next, pieces, b"")
        except TimeoutError as error:
            raise PieceLate(f"no piece from the {self._source} within {self._seconds:g} s") from error
