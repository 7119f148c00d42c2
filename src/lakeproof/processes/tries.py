"""How the starts of one component went, and how long to wait before the next one."""

from lakeproof.processes.backoff import Backoff
from lakeproof.processes.pace import Pace


class Tries:
    """Counts how the starts of one component went.

    restarts: starts that followed an end of its process which nobody asked for.
    failures: starts and provisions that failed since the component was last wanted or healthy.
    too_slow: one of these starts was not ready in its time.
    """

    def __init__(self, pace: Pace) -> None:
        self.restarts = 0
        self.failures = 0
        self.too_slow = False
        self._pace = pace
        self._backoff = Backoff(pace)
        self._taken_down = False
        self._asked_for = False

    def forgive(self) -> None:
        """The component is wanted anew, or healthy: earlier failures count no more."""
        self.failures, self.too_slow = 0, False

    def begin_life(self) -> None:
        """The component is kept again after a stop: pauses begin short again."""
        self._backoff = Backoff(self._pace)
        self._asked_for = False

    def excuse(self) -> None:
        """The component is killed because another one died: its next start comes after the shortest pause."""
        self._taken_down = True

    def expect_end(self) -> None:
        """Its process is ended on purpose, to be started again: the next start does not count in `restarts`."""
        self._asked_for = True

    def count_restart(self) -> None:
        """A process of the component ended, and another one is started now."""
        self.restarts += not self._asked_for
        self._asked_for = False

    def next_pause_seconds(self) -> float:
        """Count one more end, and give the pause before the next start."""
        pause = self._pace.restart_first if self._taken_down else self._backoff.next_seconds()
        self._taken_down = False
        return pause
