"""The mark of a job that passes over all records of its topic, while a repair brings their rows from the database.

So the job gets past what it cannot read. The lake lacks the rows that it passes over until the repair has brought
them. While the mark says OPEN, every submission of the job passes over records, whoever makes it: a job that took
rows from the middle on would show parts of transactions. Once the missing rows lie in the topic the mark says
WRITTEN: then the job takes what comes, and the lake is known to be behind until `main` shows these rows.
"""

from pathlib import Path

from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

OPEN = "open"
WRITTEN = "written"


def begin_passing_over(stack: Stack, source: Source) -> None:
    """From now on a submission of the job passes over what its topic holds."""
    write_file(_mark(stack, source), OPEN)


def all_is_written(stack: Stack, source: Source) -> None:
    """The rows that the lake lacks lie in the topic: from now on a submission of the job takes what comes."""
    write_file(_mark(stack, source), WRITTEN)


def all_is_brought(stack: Stack, source: Source) -> None:
    """Take the mark away: the lake shows the rows that it lacked."""
    _mark(stack, source).unlink(missing_ok=True)


def passes_over(stack: Stack, source: Source) -> bool:
    """Whether a submission of the job now passes over what comes."""
    return read_if_there(_mark(stack, source)) == OPEN


def is_behind(stack: Stack, source: Source) -> bool:
    """Whether the lake may lack what the job passed over."""
    return bool(read_if_there(_mark(stack, source)))


def _mark(stack: Stack, source: Source) -> Path:
    # In no component's folder: a start of the JobManager empties its own.
    return stack.data_dir(source.job) / "passed-over"
