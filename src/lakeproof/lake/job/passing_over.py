"""The mark of a repair that brings a database's rows into the lake again, and what the mark means meanwhile.

OPEN: the job cannot read its topic, and passes over all that it holds. Every submission of the job passes over
records, whoever makes it: a job that took rows from the middle on would show parts of transactions.

WRITTEN: the missing rows lie in the topic as one transaction. The job takes what comes, and the lake is known to be
behind until `main` shows these rows.

HELD, then READING: all rows of the database come again, one table after the other. The publisher shows nothing of
that database until the mark is gone, so that no reader sees half of it, or rows twice. HELD: the connector has no
new slot yet. READING: it has one.

A mark whose repair does not run any more is a repair that was cut off: `diagnose` names it (probes/flink.py), and the
same repair goes on where the mark says.
"""

from pathlib import Path

from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

OPEN = "open"
WRITTEN = "written"
HELD = "held"
READING = "reading"


def begin_passing_over(stack: Stack, source: Source) -> None:
    """From now on a submission of the job passes over what its topic holds."""
    write_file(_mark(stack, source), OPEN)


def all_is_written(stack: Stack, source: Source) -> None:
    """The rows that the lake lacks lie in the topic: from now on a submission of the job takes what comes."""
    write_file(_mark(stack, source), WRITTEN)


def hold_main(stack: Stack, source: Source) -> None:
    """Rows are about to come again, in parts: from now on the publisher shows nothing of that database."""
    write_file(_mark(stack, source), HELD)


def slot_is_made(stack: Stack, source: Source) -> None:
    """The connector reads all rows through a new slot; `main` stays held."""
    write_file(_mark(stack, source), READING)


def is_held(stack: Stack, source: Source) -> bool:
    """Whether rows of that database come in parts now, or came and were not made whole yet."""
    return read_if_there(_mark(stack, source)) in (HELD, READING)


def has_slot(stack: Stack, source: Source) -> bool:
    """Whether the rows that come in parts come through the new slot already."""
    return read_if_there(_mark(stack, source)) == READING


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
