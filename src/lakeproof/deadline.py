"""Waiting with an end: every wait in Lakeproof takes a Deadline and says what it last saw."""

import time
from collections.abc import Awaitable, Callable

from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError, TransientError


class Deadline:
    """A point in monotonic time, shared by all the steps that must fit before it.

    `seconds` is the whole budget. Monotonic, so a clock set back or forward does not matter.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the deadline was made."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """True once no time is left."""
        return self.left <= 0.0

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`, or for what is left when that is less."""
        time.sleep(min(seconds, self.left))

    def wait_for[T](
        self,
        what: str,
        look: Callable[[], T | None],
        *,
        every: float = 0.25,
        seen: Callable[[], str] | None = None,
        progress: Callable[[str, float], None] | None = None,
        unseen_is_not_yet: bool = False,
    ) -> T:
        """Call `look` until it gives something other than None.

        A TransientError of `look` counts as "not yet" and becomes what was last seen; any other error
        passes through. `progress(last_seen, elapsed)` is called after each look that gave nothing.
        unseen_is_not_yet: a CouldNotLook counts as "not yet" too, so that one slow answer does not end the wait.

        Raises: DeadlineExpired with the last thing seen.
        """
        last = "nothing yet"
        not_yet: tuple[type[LakeproofError], ...] = (TransientError, *([CouldNotLook] if unseen_is_not_yet else []))
        while True:
            try:
                found = look()
                if found is not None:
                    return found
                if seen is not None:
                    last = seen()
            except not_yet as error:
                last = error.message
            if self.expired:
                raise DeadlineExpired(f"waited {self.elapsed:.0f} s for {what}", last_seen=last)
            if progress is not None:
                progress(last, self.elapsed)
            self.pause(every)

    async def wait_for_async[T](
        self, what: str, look: Callable[[], Awaitable[T | None]], *, every: float = 0.25
    ) -> T:
        """As `wait_for`, for coroutines."""
        import asyncio  # takes longer to load than a command that never waits takes to run

        last = "nothing yet"
        while True:
            try:
                found = await look()
                if found is not None:
                    return found
            except TransientError as error:
                last = error.message
            if self.expired:
                raise DeadlineExpired(f"waited {self.elapsed:.0f} s for {what}", last_seen=last)
            await asyncio.sleep(min(every, self.left))
