"""Prometheus' durations (`1h30m`, `10s`, `500ms`) as milliseconds and back."""

import re

from lakeproof.errors import InvalidInput

_UNITS_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PART = re.compile(r"(\d+)(ms|y|w|d|h|m|s)")
DURATION = r"(?:\d+(?:ms|y|w|d|h|m|s))+"


def parse_duration(text: str) -> int:
    """Milliseconds of a Prometheus duration; `0` needs no unit.

    Raises: InvalidInput for anything else.
    """
    if text == "0":
        return 0
    if not re.fullmatch(DURATION, text):
        raise InvalidInput("not a duration", where=repr(text), next_action="write it as 30s, 2m or 1h30m")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def format_duration(milliseconds: int) -> str:
    """The shortest way to write it with hours, minutes, seconds, milliseconds; zero is `0s`."""
    parts = []
    for unit in ("h", "m", "s", "ms"):
        number, milliseconds = divmod(milliseconds, _UNITS_MS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
