"""Publish what is committed now, without waiting for the job's next checkpoint."""

import time
from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError, TransientError
from lakeproof.lake.job.asking import Asking
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.spec import ASKED_EVERY_SECONDS
from lakeproof.lake.publish import history
from lakeproof.lake.publish.beats_ahead import BeatsAhead
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

LOOK_EVERY_SECONDS = 0.2
PROGRESS_EVERY_SECONDS = 2.0


class NotPublished(TransientError):
    """No published state covers the moment in time."""


def publish_now(
    stack: Stack, source: Source, seconds: float, progress: Callable[[str], None] = lambda line: None
) -> PublishedCommit:
    """The first published state that holds every transaction of that database that is committed before this call.

    Committed by the database's clock, which must agree with this machine's. Flink or Nessie may be silent meanwhile.
    Raises: NotPublished after `seconds`, with what was seen last.
    """
    instant_us, deadline = _now_us(), Deadline(seconds)
    asking = Asking(stack, rest_of(stack, min(seconds, 10.0)), source)
    asked, told, ahead = Deadline(0), Deadline(PROGRESS_EVERY_SECONDS), BeatsAhead()
    while True:
        if asked.expired:
            asking.ask()
            asked = Deadline(ASKED_EVERY_SECONDS)
        newest, behind = _look(stack, source, instant_us, ahead)
        if newest is not None:
            return newest
        if deadline.expired:
            raise NotPublished(
                f"after {seconds:.0f} s no published state holds what is committed; the newest: {behind}"
                + (f"; {asking.trouble}" if asking.trouble else ""),
                where="publisher",
                next_action="lakeproof diagnose",
            )
        if told.expired:
            progress(f"waiting for a published state; the newest: {behind}")
            told = Deadline(PROGRESS_EVERY_SECONDS)
        deadline.pause(LOOK_EVERY_SECONDS)


def _look(stack: Stack, source: Source, instant_us: int, ahead: BeatsAhead) -> tuple[PublishedCommit | None, str]:
    """The newest state where it covers the instant; else why it does not."""
    try:
        newest = history.newest(stack)
    except history.NothingPublished:
        return None, "nothing is published"
    except LakeproofError as error:
        return None, f"nobody tells: {error.what}"
    beat_us, now_us = newest.beat_of(source.name), _now_us()
    if ahead.covers(beat_us, instant_us, now_us):
        return newest, ""
    if beat_us is None:
        return None, "it shows no heartbeat"
    if beat_us > now_us:
        return None, f"its heartbeat is {(beat_us - now_us) / 1e6:.1f} s ahead of this machine's clock"
    if ahead.holds(beat_us, now_us):
        return None, "its heartbeat was ahead of this machine's clock, which was set back: it tells nothing of now"
    return None, f"it lacks {(instant_us - beat_us) / 1e6:.1f} s"


def _now_us() -> int:
    return time.time_ns() // 1000
