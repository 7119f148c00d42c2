"""The little that has to be known of a PromQL expression: which series it reads, and where its ranges stand."""

import re
from dataclasses import dataclass

from lakeproof.observability.durations import DURATION

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_RANGE = re.compile(rf"\[\s*({DURATION})\s*(?::\s*({DURATION})?\s*)?\]")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_JOB = re.compile(r'(?<![\w])job\s*(=~|=|!=|!~)\s*"((?:\\.|[^"\\])*)"')
_KEYWORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf", "nan"})
_GROUPING = frozenset({"group_left", "group_right"})


@dataclass(frozen=True)
class Selector:
    """One series selector: the metric's name and its matchers on `job`, as (operator, value)."""

    metric: str
    jobs: tuple[tuple[str, str], ...] = ()

    def takes(self, job: str) -> bool:
        """True when no matcher on `job` turns this job away."""
        for operator, value in self.jobs:
            equal = re.fullmatch(value, job) is not None if "~" in operator else value == job
            if equal == operator.startswith("!"):
                return False
        return True


@dataclass(frozen=True)
class Span:
    """A duration inside an expression: its text and where it stands."""

    start: int
    end: int
    text: str


def _blank_strings(expression: str) -> str:
    return _STRING.sub(lambda match: '"' + " " * (len(match[0]) - 2) + '"', expression)


def find_ranges(expression: str) -> list[Span]:
    """Every duration in brackets, subquery steps too; text inside quotes is left alone."""
    return [
        Span(*match.span(group), match[group])
        for match in _RANGE.finditer(_blank_strings(expression))
        for group in (1, 2)
        if match[group]
    ]


def find_selectors(expression: str) -> list[Selector]:
    """The series that the expression reads. Functions, aggregations, keywords and label names are not series."""
    blank = _LABEL_LIST.sub(lambda match: " " * len(match[0]), _blank_strings(expression))
    blank = _RANGE.sub(lambda match: " " * len(match[0]), blank)
    found = []
    position = 0
    while match := _WORD.search(blank, position):
        position = match.end()
        if match.start() > 0 and blank[match.start() - 1].isalnum():
            continue  # the unit of a number or duration: `5m`, `1e3`
        rest = blank[match.end() :].lstrip()
        if match[0].lower() in _KEYWORDS | _GROUPING or rest.startswith("("):
            continue
        if rest.startswith("{"):
            opening = blank.index("{", match.end())
            position = blank.index("}", opening) + 1
            found.append(Selector(match[0], tuple(_JOB.findall(expression[opening:position]))))
        else:
            # `sum by (x) (y)` loses its list above; what is left and stands before no parenthesis is a series
            found.append(Selector(match[0]))
    return found
