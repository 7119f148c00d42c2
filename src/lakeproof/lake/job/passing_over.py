"""A job that takes nothing of what its topic holds, while a repair brings all of that from the database.

So it gets past what it cannot read. The lake lacks what the job passes over until the repair has brought it. A mark
says that this is still to come, whatever becomes of the repair and the job meanwhile.
"""

from pathlib import Path

from lakeproof.lake.job.submission import redeploy
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file


def pass_over(stack: Stack, source: Source) -> None:
    """Have the job go on from its newest state and take nothing, until it is submitted again.

    It forgets what it holds of transactions without an END, too. Raises: as `redeploy`.
    """
    mark = _mark(stack, source)
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_file(mark, source.topic)
    redeploy(stack, source, pass_over=True)


def is_passed_over(stack: Stack, source: Source) -> bool:
    """Whether the lake may lack what the job passed over."""
    return _mark(stack, source).exists()


def all_is_brought(stack: Stack, source: Source) -> None:
    """Take the mark away: the lake has what the job passed over."""
    _mark(stack, source).unlink(missing_ok=True)


def _mark(stack: Stack, source: Source) -> Path:
    return stack.data_dir("flink-jobmanager") / f"{source.name}-passed-over"
