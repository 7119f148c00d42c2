"""Checks of the scenario kafka-backlog."""

from collections.abc import Callable

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import ask_again
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.backlog import kept_offset
from lakeproof.lake.of_database import OfDatabase
from lakeproof.probes.kafka import topic_end, topic_start
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 5.0

# One second apart. On full processors the checkpoint that commits the offsets of a backlog took over 5 s.
TRIES = 20

START, KEPT, END = "start", "kept", "end"


class BacklogRead(OfDatabase, Check):
    """The job is past what waited in the topic, and nothing unread was deleted.

    The job stands farther on in the capture's topic, little waits, and nothing was deleted that it had not read.

    The job's place is the offset of its consumer group in Kafka, as of its last checkpoint. It does not show whether
    the job skipped records that waited: no_order_lost judges whether the rows themselves came through.

    `records`: fewer records than this may wait, that is, come after the offset of the last checkpoint.
    """

    records: int = Field(500, gt=0)

    def baseline(self, context: CheckContext) -> Baseline:
        """The topic's first and end offsets, and the job's; few records wait."""
        now, verdict = self._settled(context, lambda now: judge(now, now, self.records, moved=0))
        return Baseline(verdict, now)

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The job is farther on, few records wait, and no record after the job's offset of before was deleted."""
        known = {name: int(value) for name, value in before.values.items() if isinstance(value, int)}
        return self._settled(context, lambda now: judge(now, known, self.records, moved=1))[1]

    def _settled(
        self, context: CheckContext, of: Callable[[dict[str, int]], Verdict]
    ) -> tuple[dict[str, int], Verdict]:
        """The first of TRIES looks to pass, else the last: more records wait between two checkpoints than
        after one.
        """

        def look() -> tuple[dict[str, int], Verdict]:
            now = self._look(context.stack)
            return now, of(now)

        return ask_again(look, lambda seen: seen[1].outcome is not Outcome.PASSED, context.deadline, TRIES)[-1]

    def _look(self, stack: Stack) -> dict[str, int]:
        """START, KEPT and END as offsets. Raises: CouldNotLook, also where the job has committed no offset yet."""
        source = self.source
        kept = kept_offset(stack, LOOK_SECONDS, source)
        if kept is None:
            raise CouldNotLook(f"{source.job} has kept no place yet", where=source.topic)
        start, end = topic_start(stack, LOOK_SECONDS, source), topic_end(stack, LOOK_SECONDS, source)
        return {START: start, KEPT: kept, END: end}


def judge(now: dict[str, int], before: dict[str, int], records: int, moved: int) -> Verdict:
    """now, before: START, KEPT and END as offsets. moved: by how many records at least the job must be farther on."""
    waiting = max(0, now[END] - now[KEPT])
    read = now[KEPT] - before[KEPT]
    numbers = {"waiting": float(waiting), "read": float(read)}
    wrong = []
    if now[END] < max(before[END], now[KEPT]):
        wrong.append(f"the topic ends at {now[END]}: it was made anew, and what waited there is gone")
    if now[START] > before[KEPT]:
        # A job that had read them first fails too: where it stood when they were deleted is not known.
        wrong.append(f"{now[START] - before[KEPT]} records after offset {before[KEPT]} are deleted, perhaps unread")
    if read < moved:
        wrong.append(f"the job stands at {now[KEPT]}, and stood at {before[KEPT]}")
    if waiting >= records:
        wrong.append(f"{waiting} records wait, not fewer than {records}")
    if wrong:
        return Verdict(BacklogRead.summary, Outcome.FAILED, "; ".join(wrong), numbers)
    return Verdict(
        BacklogRead.summary,
        Outcome.PASSED,
        f"{read} records farther than offset {before[KEPT]}; {waiting} wait",
        numbers,
    )
