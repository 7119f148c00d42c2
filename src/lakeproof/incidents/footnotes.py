"""Numbers with their sources: in an RCA every word that holds a digit is followed by a footnote."""

import re
from datetime import datetime

from lakeproof.incidents.shapes import ReadingShape

NUMBER = re.compile(r"(?<!\w)(?<!\[\^)\w*\d\w*(?:[.:,/+-]\w+)*%?")


def format_time(at: datetime) -> str:
    """UTC, to the millisecond."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def escape(text: str) -> str:
    """Somebody's text inside a line of Markdown: it cannot start a table cell, a link, a footnote or HTML."""
    return re.sub(r"([|<>\[\]^*`\\])", r"\\\1", " ".join(text.split()))


class Footnotes:
    """The sources of one document, numbered in the order of their first use."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def cite(self, text: str, *, source: str, query: str, value: object, at: datetime) -> str:
        """`text`, escaped, with the footnote behind each number in it (behind the text when it holds none)."""
        shown = escape("no answer" if value is None else str(value))
        asked = query.replace("`", "'")
        line = f"{escape(source)} · `{' '.join(asked.split())}` · {shown} · {format_time(at)}"
        mark = f"[^{self._lines.setdefault(line, len(self._lines) + 1)}]"
        cited, numbers = NUMBER.subn(lambda match: match[0] + mark, escape(text))
        return cited if numbers else cited + mark

    def reading(self, reading: ReadingShape) -> str:
        """A reading as `name = value unit`, or as what kept it from being read."""
        name = reading.probe or reading.query
        if reading.error is not None:
            text = f"{name}: could not look ({reading.error})"
        else:
            value = reading.value
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            text = f"{name} = {shown} {reading.unit}".rstrip()
        shown_value = reading.error or reading.value
        return self.cite(text, source=reading.source, query=reading.query, value=shown_value, at=reading.at)

    def render(self) -> str:
        """The list of sources."""
        return "\n".join(f"[^{number}]: {line}" for line, number in self._lines.items())
