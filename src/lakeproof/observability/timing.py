"""Production windows made shorter for live drills, by one factor, with nothing else changed.

Rules are written once, in production windows, and tested there. `drill` divides each `for`, `keep_firing_for` and
each range in brackets by DRILL_FACTOR (2m → 10s); `production` leaves the bytes as they are. A window that would
become shorter than four scrapes of the series that it looks at is refused: such a rule would fire on one lost scrape.
"""

from collections.abc import Iterator
from typing import Literal

import yaml

from lakeproof.errors import InvalidInput
from lakeproof.observability.durations import format_duration, parse_duration
from lakeproof.observability.promql import find_ranges
from lakeproof.observability.sources import scrape_seconds

type Timing = Literal["drill", "production"]
TIMINGS = ("drill", "production")

DRILL_FACTOR = 12
FEWEST_SCRAPES = 4


def factor_of(timing: Timing) -> int:
    """What windows are divided by."""
    return DRILL_FACTOR if timing == "drill" else 1


def compress(text: str, factor: int, *, where: str) -> str:
    """A rules file with every window divided by `factor`; 1 gives the same bytes.

    Raises: InvalidInput naming the alert, the window and the scrape that it does not fit.
    """
    if factor == 1:
        return text
    changes: list[tuple[int, int, str]] = []
    for rule in _rules(yaml.compose(text, Loader=yaml.SafeLoader)):
        fields = {key.value: value for key, value in rule.value}
        alert = (fields.get("alert") or fields["record"]).value
        slowest = scrape_seconds(fields["expr"].value)
        for key in ("for", "keep_firing_for"):
            if key in fields:
                node = fields[key]
                short = _shorten(node.value, factor, slowest, where=f"{where}, {alert}, {key}")
                changes.append((node.start_mark.index, node.end_mark.index, short))
        node = fields["expr"]
        start, end = node.start_mark.index, node.end_mark.index
        # Ranges are looked for in the file's own text, so that folded and quoted expressions keep their layout.
        source = text[start:end]
        if node.style in ("'", '"'):
            start, source = start + 1, source[1:-1].replace('\\"', "``")
        for span in find_ranges(source):
            short = _shorten(span.text, factor, slowest, where=f"{where}, {alert}, [{span.text}]")
            changes.append((start + span.start, start + span.end, short))
    for start, end, short in sorted(changes, reverse=True):
        text = text[:start] + short + text[end:]
    return text


def _shorten(window: str, factor: int, slowest: float, *, where: str) -> str:
    milliseconds = parse_duration(window)
    short = milliseconds // factor
    if milliseconds and short < FEWEST_SCRAPES * slowest * 1000:
        raise InvalidInput(
            f"{window} divided by {factor} is {format_duration(short)}, "
            f"shorter than {FEWEST_SCRAPES} scrapes of {slowest:g} s",
            where=where,
            next_action="scrape that job more often, lengthen the window, or use --timing production",
        )
    return format_duration(short)


def _rules(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if not isinstance(root, yaml.MappingNode):
        return
    for key, groups in root.value:
        if key.value != "groups":
            continue
        for group in groups.value:
            for name, rules in group.value:
                if name.value == "rules":
                    yield from rules.value
