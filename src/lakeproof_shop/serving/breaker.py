"""A circuit breaker: after a failure no call is made for a moment, then one caller tries whether it works again."""

import time
from collections.abc import Callable


class Breaker:
    """Closed while calls succeed. `pause_seconds`: how long no call is made after a failure."""

    def __init__(self, pause_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_seconds, self._clock = pause_seconds, clock
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """True from a failure until a success."""
        return self._open_until is not None

    def lets_ask(self) -> bool:
        """True where the caller may call now. While the breaker is open, that is one caller at the end of each pause,
        which then reports `failed` or `succeeded`.
        """
        if self._open_until is None:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + self._pause_seconds  # other callers wait for the result of this call
        return True

    def failed(self) -> None:
        """The call failed: no calls until the pause is over."""
        self._open_until = self._clock() + self._pause_seconds

    def succeeded(self) -> None:
        """The call succeeded: every caller may call."""
        self._open_until = None
