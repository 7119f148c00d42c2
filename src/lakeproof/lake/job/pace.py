"""The pace of a source's checkpoints: the wanted one while rows come, a slower one of Flink's own while none do.

A checkpoint without rows costs nearly as much as one with a few: each table gets a snapshot, and readers a new hash.
So Flink's own interval is the pause of an idle source, and while rows arrive in its topic its job is asked for a
checkpoint at the wanted pace, the first one at once. Where nobody asks (this process is dead, or hangs) the job goes
on at the idle pace: rows come later, and none is lost. docs/decisions/0054 has the figures.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from lakeproof.lake.job.asking import Asking
from lakeproof.lake.job.flink_rest import FlinkRest, rest_of
from lakeproof.lake.job.spec import SHARE_WITHOUT_CHECKPOINT
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

# The job may read a row later than the topic's watcher does. A checkpoint that began this long after a row has it.
READ_SECONDS = 2.0
# Between two looks. While a checkpoint is being made, each look asks the JobManager whether it is complete.
LOOK_SECONDS = 0.2
# After a checkpoint that could not even be begun.
RETRY_SECONDS = 1.0
ANSWER_SECONDS = 5.0

log = logging.getLogger(__name__)


class Rows(Protocol):
    """Who watches a source's topic. row_at: when a row was seen last, by the monotonic clock; heartbeats do not
    count, and a new beginning to watch counts as a row.
    """

    row_at: float


class CheckpointPace(threading.Thread):
    """Asks a source's job for checkpoints until a complete one has every row that came, through any outage of Flink,
    until `stop` is set.

    A complete checkpoint has every row if it began READ_SECONDS after the last row came, and READ_SECONDS after the
    job was last seen not to run: a job that has just come back has read nothing yet.
    """

    def __init__(
        self,
        stack: Stack,
        source: Source,
        rows: Rows,
        stop: threading.Event,
        *,
        flink: FlinkRest | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=f"pace-{source.name}", daemon=True)
        self._pause, self._longest = source.checkpoint_seconds(stack), source.longest_pause_seconds(stack)
        self._asking = Asking(stack, flink or rest_of(stack, ANSWER_SECONDS), source)
        self._rows, self._stop_asked, self._clock = rows, stop, clock
        self._not_before = 0.0
        """No checkpoint is asked for before this moment."""
        self._began_at: float | None = None
        """When the checkpoint that is being made was asked for."""
        self._complete_at = self._away_at = float("-inf")
        """When the newest complete checkpoint was asked for, and when a checkpoint last could not be begun."""
        self._failures = 0
        """How many of the checkpoints that were begun failed in a row."""
        self._told = ""

    def run(self) -> None:
        """The thread's work."""
        while not self._stop_asked.is_set():
            try:
                self.look()
            except Exception:  # a thread that died would leave the job at its idle pace for good
                log.exception("could not ask for a checkpoint of %s", self._asking.source.job)
            # The next look comes just when a checkpoint is due: a later one would make every pause longer.
            until_due = self._not_before - self._clock()
            self._stop_asked.wait(min(LOOK_SECONDS, until_due) if until_due > 0 else LOOK_SECONDS)

    def look(self) -> None:
        """Ask for a checkpoint where one is due: rows came that no complete one has, and the pause is over."""
        if self._began_at is not None:
            if self._asking.is_running():
                return
            self._ended(self._began_at)
            self._began_at = None
        now = self._clock()
        owed_from = max(self._rows.row_at, self._away_at) + READ_SECONDS
        if self._complete_at >= owed_from or now < self._not_before:
            return
        self._asking.ask()
        if self._asking.trouble:
            self._away_at = self._clock()
            self._not_before = self._away_at + RETRY_SECONDS
            self._tell()
        else:
            self._not_before = now + self._pause
            self._began_at = now

    def _ended(self, began_at: float) -> None:
        """Keep a part of the pause free after a checkpoint, and ever more after each that failed in a row."""
        free = self._pause * SHARE_WITHOUT_CHECKPOINT
        if self._asking.trouble:
            self._failures += 1
            free = min(self._longest, free * 2**self._failures)
        else:
            self._failures, self._complete_at = 0, began_at
        self._tell()
        self._not_before = max(self._not_before, self._clock() + free)

    def _tell(self) -> None:
        """A change of the trouble is logged once."""
        trouble = self._asking.trouble
        if trouble and not self._told:
            log.warning("%s makes fewer checkpoints than wanted: %s", self._asking.source.job, trouble)
        if self._told and not trouble:
            log.info("%s makes the checkpoints that it is asked for again", self._asking.source.job)
        self._told = trouble
