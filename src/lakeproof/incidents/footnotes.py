"""Facts with their sources: in an RCA every fact that holds a number ends with a footnote that names its source."""

import re
from datetime import UTC, datetime

from lakeproof.incidents.shapes import ReadingShape

# What makes a heading, a list, a rule or a block of code at the beginning of a line. A negative number makes none.
_BLOCK = re.compile(r"^(#|[-+](?=[-\s]|$)|_(?=\s?_)|~(?=~~))")
# What makes a numbered list; a decimal number makes none.
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
# Shown for an answer without a value, such as the longest wait where nobody waits. A question without an answer has
# an error instead.
NO_VALUE = "no value"


def format_time(at: datetime) -> str:
    """UTC, to the millisecond. A time without a zone counts as UTC."""
    if at.tzinfo is not None:
        try:
            at = at.astimezone(UTC)
        except OverflowError:  # on the first or last day that a datetime can hold
            return at.isoformat()
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def escape(text: str) -> str:
    """Somebody's text inside a line of Markdown: it cannot start a table cell, a link, a footnote or HTML, nor, where
    it stands at the line's beginning, a heading, a list, a rule or a block of code.
    """
    inside = re.sub(r"([|<>\[\]^*`\\])", r"\\\1", " ".join(text.split()))
    return _NUMBERED.sub(r"\1\\\2", _BLOCK.sub(r"\\\1", inside))


def shown(reading: ReadingShape) -> str:
    """What a reading found, with its unit; or what kept it from being read."""
    if reading.error is not None:
        return f"could not look ({reading.error})"
    if (value := reading.value) is None:
        return NO_VALUE
    number = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{number} {reading.unit}".rstrip()


class Footnotes:
    """The sources of one document, numbered in the order of their first use."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def mark(self, *, source: str, query: str, value: object, at: datetime) -> str:
        """The mark to put at the end of a fact. The same source has the same mark."""
        found = escape(NO_VALUE if value is None else str(value))
        asked = " ".join(query.replace("`", "'").split())
        line = f"{escape(source)} · `{asked}` · {found} · {format_time(at)}"
        return f"[^{self._lines.setdefault(line, len(self._lines) + 1)}]"

    def of(self, reading: ReadingShape) -> str:
        """The mark of a reading."""
        value = reading.error or reading.value
        return self.mark(source=reading.source, query=reading.query, value=value, at=reading.at)

    def render(self) -> str:
        """The list of sources."""
        return "\n".join(f"[^{number}]: {line}" for line, number in self._lines.items())
