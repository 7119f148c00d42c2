"""Pieces of files in threads of their own: what hangs is given up in its time, and holds nobody else."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from lakeproof_shop.services.support.piece_reader import THREADS, PieceLate, PieceReader


async def test_pieces_come_one_after_the_other_and_end_with_none() -> None:
    reader, pieces = PieceReader("disk", 5.0), iter([b"a", b"b"])
    assert [await reader.next(pieces) for _ in range(3)] == [b"a", b"b", b""]
    reader.close()


async def test_a_source_that_hangs_is_given_up_by_all_who_wait_and_the_other_goes_on() -> None:
    goes_on = threading.Event()

    def hanging() -> Iterator[bytes]:
        goes_on.wait(30)
        yield b"late"

    archive, disk = PieceReader("archive", 0.5), PieceReader("disk", 5.0)
    asked = [asyncio.create_task(archive.next(hanging())) for _ in range(3 * THREADS)]
    await asyncio.sleep(0)
    assert await disk.next(iter([b"here"])) == b"here"
    try:
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        goes_on.set()
    assert {type(answer) for answer in answers} == {PieceLate}
    archive.close()
    disk.close()


async def test_what_the_source_says_comes_through() -> None:
    def rotten() -> Iterator[bytes]:
        raise FileNotFoundError("gone")
        yield b""

    reader = PieceReader("disk", 5.0)
    with pytest.raises(FileNotFoundError):
        await reader.next(rotten())
    reader.close()
