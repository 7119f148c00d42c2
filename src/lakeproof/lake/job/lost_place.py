"""A job whose place in its topic is gone, or that cannot get past what lies there.

As a rule such a job stops (EarliestThenExact.java): to go on with the oldest record that is left would be a silent
loss. Where a repair has written what was lost at the topic's beginning, the job is told to go on there, once.
"""

import logging
from pathlib import Path

from lakeproof.lake.job.submission import redeploy
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)


def go_on_at_oldest(stack: Stack, source: Source) -> None:
    """Have the job go on with the oldest record that its topic holds. Raises: as `redeploy`.

    A mark says so until `exact_again`, since such a job would pass over what is lost later.
    """
    mark = _mark(stack, source)
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_file(mark, source.topic)
    redeploy(stack, source, on_lost_place="EARLIEST")
    log.info("%s goes on with the oldest record of %s", source.job, source.topic)


def exact_again(stack: Stack, source: Source) -> None:
    """Have the job stop again where its place is gone. Raises: as `redeploy`."""
    redeploy(stack, source)
    _mark(stack, source).unlink(missing_ok=True)


def passes_over_losses(stack: Stack, source: Source) -> bool:
    """Whether the job may still go on where its place is gone, since a repair was cut off."""
    return _mark(stack, source).exists()


def _mark(stack: Stack, source: Source) -> Path:
    return stack.data_dir("flink-jobmanager") / f"{source.name}-passes-over-losses"
