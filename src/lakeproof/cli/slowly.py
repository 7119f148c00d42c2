"""Progress of a command that is usually quick: silent for two seconds, then a line now and then."""

from collections.abc import Callable

from lakeproof.deadline import Deadline

QUIET_SECONDS = 2.0
EVERY_SECONDS = 2.0


class Slowly:
    """Called with a progress text as often as the caller likes. `say` gets a text after 2 s, then one every 2 s."""

    def __init__(self, say: Callable[[str], None], quiet_seconds: float = QUIET_SECONDS) -> None:
        self._say = say
        self._since = Deadline(float("inf"))
        self._next_at = quiet_seconds

    def __call__(self, text: str) -> None:
        """Say what goes on now, where it is time."""
        elapsed = self._since.elapsed
        if elapsed >= self._next_at:
            self._next_at = elapsed + EVERY_SECONDS
            self._say(f"[{elapsed:3.0f} s] {text}")
