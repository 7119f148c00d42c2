"""How long to wait before a component that died is started again."""

import time
from collections.abc import Callable

from lakeproof.processes.pace import Pace


class Backoff:
    """Pauses of 1, 2, 4, 8, 15, 15 … seconds while the component dies again within a minute of its restart.

    A death that comes later than that gets a pause of 1 second again. `pace` gives these figures. `clock` is
    monotonic, in seconds.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._deaths = 0
        self._last = 0.0

    def next_seconds(self) -> float:
        """Count one more death and give the pause that follows it."""
        now = self._clock()
        close = self._deaths > 0 and now - self._last <= self._pace.restart_window
        self._deaths = self._deaths + 1 if close else 1
        pause = min(self._pace.restart_longest, self._pace.restart_first * 2.0 ** (self._deaths - 1))
        self._last = now + pause
        return pause
