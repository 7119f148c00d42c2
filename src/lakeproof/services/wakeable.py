"""Work that looks again and again for something to do: at once where it is woken, until it is told to stop."""

import asyncio
import contextlib


class Wakeable:
    """What such work has in common; it pauses between two looks, and ends its loop where `stopping`."""

    def __init__(self) -> None:
        self.stopping = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something new: look at once."""
        self._woken.set()

    def stop(self) -> None:
        """End after what is under way."""
        self.stopping = True
        self._woken.set()

    async def pause(self, seconds: float) -> None:
        """Until it is woken or stopped, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
