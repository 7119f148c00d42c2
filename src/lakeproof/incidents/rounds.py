"""Work that the desk does by itself, again and again, on a thread; and whether that thread still makes progress."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from lakeproof.deadline import Deadline

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
# Longer than the longest step of a round: a call to a slow ITSM, or a look at the whole stack for a checklist.
HUNG_SECONDS = 120.0
# Shorter than the supervisor waits before it kills the desk.
STOP_SECONDS = 8.0


class Rounds:
    """Makes a round each second, and at once after `hurry`, until `end`. What a round raises is logged.

    A round of many steps says `went_on` after each of them, so that a long round is told from a hung one.
    """

    def __init__(
        self, name: str, make_round: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self._make_round, self._clock = name, make_round, clock
        self._stopping, self._wanted = threading.Event(), threading.Event()
        self._went_on_at = clock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self.went_on()
        self._thread.start()

    def end(self) -> None:
        """End after the step that runs; `stop_all` waits for it."""
        self._stopping.set()
        self._wanted.set()

    def wait(self, deadline: Deadline) -> None:
        """Wait until the thread has ended, or the deadline is over."""
        self._thread.join(timeout=deadline.left)

    @property
    def stopping(self) -> bool:
        """True once `end` was called. A round of many steps then ends early."""
        return self._stopping.is_set()

    def hurry(self) -> None:
        """Something new is there: do not wait for the next second."""
        self._wanted.set()

    def went_on(self) -> None:
        """Note that a step is done."""
        self._went_on_at = self._clock()

    def trouble(self) -> str:
        """Why the thread makes no progress any more; "" while it does."""
        if not self._thread.is_alive():
            return "its thread has ended; restart the desk"
        still = self._clock() - self._went_on_at
        return f"its thread has hung in one step for {still:.0f} s; restart the desk" if still > HUNG_SECONDS else ""

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.went_on()
            try:
                self._make_round()
            except Exception:  # the top of a thread: if it ended here, nobody would see that its work stays undone
                log.exception("a round of %s failed and is made again", self.name)
            self._wanted.wait(timeout=PAUSE_SECONDS)
            self._wanted.clear()


def stop_all(rounds: Sequence[Rounds]) -> None:
    """End all of them, each after the step that runs, together within STOP_SECONDS."""
    for each in rounds:
        each.end()
    deadline = Deadline(STOP_SECONDS)
    for each in rounds:
        each.wait(deadline)
