"""The mark of a capture that was set right again, while the lake still lacks what it missed before.

Until then the wrong setting itself tells of that. Who sets it right leaves this mark before, so that the capture does
not read as healthy where the repair is cut off between the two; who has brought what is missing takes it away.
"""

from pathlib import Path

from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file


def note(stack: Stack, source: Source) -> None:
    """From now on the lake is known to lack something of that source."""
    mark = _mark(stack, source)
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_file(mark, "")


def is_noted(stack: Stack, source: Source) -> bool:
    """Whether the lake may lack what the capture missed."""
    return _mark(stack, source).exists()


def is_brought(stack: Stack, source: Source) -> None:
    """Take the mark away: every row of the lake was compared with the database, or read anew."""
    _mark(stack, source).unlink(missing_ok=True)


def _mark(stack: Stack, source: Source) -> Path:
    # As job/passing_over.py: in no component's folder.
    return stack.data_dir(source.job) / "missed"
