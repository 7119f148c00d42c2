"""How the starts of one component went, and how long to wait before the next one."""

from lakeproof.processes.backoff import Backoff
from lakeproof.processes.pace import Pace


class Tries:
    """`restarts` counts starts that followed an end of a process that nobody asked for; `failures` the starts (and
    provisions) that failed since the component was last wanted or healthy; `too_slow`: one of those was not ready in
    its time.
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
        """It is wanted anew, or healthy: what failed before counts no more."""
        self.failures, self.too_slow = 0, False

    def begin_life(self) -> None:
        """It was not kept until now: pauses are short again."""
        self._backoff = Backoff(self._pace)
        self._asked_for = False

    def excuse(self) -> None:
        """It is killed because of another: not its own fault, so its next start is not held back."""
        self._taken_down = True

    def expect_end(self) -> None:
        """It is killed by whoever keeps it, who wants it started again: that start is none of `restarts`."""
        self._asked_for = True

    def count_restart(self) -> None:
        """A process of it ended, and it is started again."""
        self.restarts += not self._asked_for
        self._asked_for = False

    def next_pause_seconds(self) -> float:
        """Take note of an end, and give the pause that follows it."""
        pause = self._pace.restart_first if self._taken_down else self._backoff.next_seconds()
        self._taken_down = False
        return pause
