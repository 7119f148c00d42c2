"""A short circuit breaker: after a failure nobody asks for a moment, then one asks whether it works again."""

import time
from collections.abc import Callable


class Breaker:
    """Closed while things work. `pause_seconds`: how long nobody asks after a failure."""

    def __init__(self, pause_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_seconds, self._clock = pause_seconds, clock
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """True from a failure until a success."""
        return self._open_until is not None

    def lets_ask(self) -> bool:
        """May the caller ask now? While open, one may at the end of each pause; it then says how it went."""
        if self._open_until is None:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + self._pause_seconds  # the others wait for what this one finds
        return True

    def failed(self) -> None:
        """The call failed: nobody asks until the pause is over."""
        self._open_until = self._clock() + self._pause_seconds

    def succeeded(self) -> None:
        """The call had its answer: everybody may ask."""
        self._open_until = None
