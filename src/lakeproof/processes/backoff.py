"""How long to wait before a component that died is started again."""

import time
from collections.abc import Callable

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 15.0
WINDOW_SECONDS = 60.0


class Backoff:
    """1, 2, 4, 8, 15, 15 … seconds while deaths come within a minute of each other; then 1 again.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths = 0
        self._last = 0.0

    def next_seconds(self) -> float:
        """Count one more death and give the pause that follows it."""
        now = self._clock()
        self._deaths = self._deaths + 1 if self._deaths and now - self._last <= WINDOW_SECONDS else 1
        pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (self._deaths - 1))
        self._last = now + pause
        return pause
