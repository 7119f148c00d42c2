"""Background work that looks for something to do at intervals, or at once when it is woken, until it is stopped."""

import asyncio
import contextlib


class Wakeable:
    """Base of such work. Its loop calls `pause` between two looks, and ends once `stopping` is True."""

    def __init__(self) -> None:
        self.stopping = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once, because there is something new."""
        self._woken.set()

    def stop(self) -> None:
        """End after the work that is under way."""
        self.stopping = True
        self._woken.set()

    async def pause(self, seconds: float) -> None:
        """Wait until `wake` or `stop`, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
