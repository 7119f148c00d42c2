"""Progress of a command that is usually quick: silent for two seconds, then a line now and then."""

from collections.abc import Callable

from lakeproof.deadline import Deadline

QUIET_SECONDS = 2.0
EVERY_SECONDS = 2.0


class Slowly:
    """Call it with what goes on now as often as you like; `say` hears of it after 2 s, and each 2 s after that."""

    def __init__(self, say: Callable[[str], None], quiet_seconds: float = QUIET_SECONDS) -> None:
        self._say = say
        self._since = Deadline(float("inf"))
        self._next_at = quiet_seconds

    def __call__(self, text: str) -> None:
        """What goes on now."""
        elapsed = self._since.elapsed
        if elapsed >= self._next_at:
            self._next_at = elapsed + EVERY_SECONDS
            self._say(f"[{elapsed:3.0f} s] {text}")
