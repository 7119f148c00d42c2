"""The job stands farther on in the capture's topic, little waits, and nothing was deleted that it had not read.

The place that the job keeps in its last checkpoint is what Kafka tells. It does not show a job that skipped what
waited: that the rows themselves came through is what no_order_lost looks at.
"""

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

CLAIM = "the job is past what waited in the topic, and nothing unread was deleted"
LOOK_SECONDS = 5.0
# A second between two of them. On full processors the checkpoint that keeps what a backlog brought took over 5 s.
TRIES = 20
START, KEPT, END = "start", "kept", "end"


class BacklogRead(OfDatabase):
    """`records`: fewer than this are not kept by a checkpoint yet."""

    records: int = Field(500, gt=0)


def baseline(context: CheckContext, arguments: BacklogRead) -> Baseline:
    """Where the topic begins, where it ends, and where the job stands."""
    now, verdict = _settled(context, arguments, lambda now: judge(now, now, arguments.records, moved=0))
    return Baseline(verdict, now)


def verify(context: CheckContext, arguments: BacklogRead, before: Baseline) -> Verdict:
    """The job stands farther on, little waits, and the topic still has all from where the job stood before."""
    known = {name: int(value) for name, value in before.values.items() if isinstance(value, int)}
    return _settled(context, arguments, lambda now: judge(now, known, arguments.records, moved=1))[1]


def _settled(
    context: CheckContext, arguments: BacklogRead, of: Callable[[dict[str, int]], Verdict]
) -> tuple[dict[str, int], Verdict]:
    """The first of some looks that passes, else the last: between two checkpoints more waits than after one."""

    def look() -> tuple[dict[str, int], Verdict]:
        now = _look(context.stack, arguments)
        return now, of(now)

    return ask_again(look, lambda seen: seen[1].outcome is not Outcome.PASSED, context.deadline, TRIES)[-1]


def judge(now: dict[str, int], before: dict[str, int], records: int, moved: int) -> Verdict:
    """now, before: START, KEPT and END as offsets. moved: so many records the job must be farther on."""
    waiting = max(0, now[END] - now[KEPT])
    read = now[KEPT] - before[KEPT]
    numbers = {"waiting": float(waiting), "read": float(read)}
    wrong = []
    if now[END] < max(before[END], now[KEPT]):
        wrong.append(f"the topic ends at {now[END]}: it was made anew, and what waited there is gone")
    if now[START] > before[KEPT]:
        wrong.append(f"{now[START] - before[KEPT]} records were deleted from the topic that the job had not read")
    if read < moved:
        wrong.append(f"the job stands at {now[KEPT]}, and stood at {before[KEPT]}")
    if waiting >= records:
        wrong.append(f"{waiting} records wait, not fewer than {records}")
    if wrong:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(wrong), numbers)
    return Verdict(
        CLAIM, Outcome.PASSED, f"{read} records farther than offset {before[KEPT]}; {waiting} wait", numbers
    )


def _look(stack: Stack, arguments: BacklogRead) -> dict[str, int]:
    """START, KEPT and END. Raises: CouldNotLook, where the job has kept no place too."""
    source = arguments.source
    kept = kept_offset(stack, LOOK_SECONDS, source)
    if kept is None:
        raise CouldNotLook(f"{source.job} has kept no place yet", where=source.topic)
    start, end = topic_start(stack, LOOK_SECONDS, source), topic_end(stack, LOOK_SECONDS, source)
    return {START: int(str(start)), KEPT: kept, END: int(str(end))}


CHECK = Check("backlog_read", CLAIM, baseline, verify, BacklogRead)
