"""Work that pauses between two looks: woken or stopped it goes on at once."""

import asyncio

from lakeproof_shop.serving.wakeable import Wakeable


async def test_a_wake_before_the_pause_ends_it_and_is_used_up() -> None:
    work = Wakeable()
    work.wake()
    async with asyncio.timeout(5):
        await work.pause(3600)
    pausing = asyncio.create_task(work.pause(3600))
    await asyncio.sleep(0)
    assert not pausing.done()
    work.wake()
    async with asyncio.timeout(5):
        await pausing


async def test_a_stop_ends_the_pause_and_says_so() -> None:
    work = Wakeable()
    pausing = asyncio.create_task(work.pause(3600))
    work.stop()
    async with asyncio.timeout(5):
        await pausing
    assert work.stopping


async def test_a_pause_that_nobody_ends_ends_by_itself() -> None:
    await Wakeable().pause(0.001)
