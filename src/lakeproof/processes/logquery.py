"""Searching log files by the selector that Loki and VictoriaLogs use: {container="kafka"} word "two words" !not."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import InvalidInput
from lakeproof.processes import logfile

_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_WORD = re.compile(r'\s*(\|=|!=|!)?\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))')
EXAMPLE = """e.g. '{container="kafka"} error'"""


@dataclass(frozen=True)
class Query:
    """Which containers, and which words a line must (not) have, compared without regard to case."""

    containers: tuple[Callable[[str], bool], ...]
    words: tuple[str, ...]
    without: tuple[str, ...]

    def takes(self, container: str) -> bool:
        """True when the selector chooses this container."""
        return all(matches(container) for matches in self.containers)

    def finds(self, line: str) -> bool:
        """True when the line has all the words and none of those it must not have."""
        low = line.lower()
        return all(word in low for word in self.words) and not any(word in low for word in self.without)


@dataclass(frozen=True)
class Hit:
    """One line found."""

    container: str
    line: str


def _matcher(operator: str, value: str) -> Callable[[str], bool]:
    value = re.sub(r"\\(.)", r"\1", value) if operator in ("=", "!=") else value.replace("\\\\", "\\")
    if operator in ("=", "!="):
        return lambda container: (container == value) == (operator == "=")
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise InvalidInput(f"not a pattern: {error}", where=value, next_action=EXAMPLE) from error
    return lambda container: (pattern.fullmatch(container) is not None) == (operator == "=~")


def parse(text: str) -> Query:
    """Read a query. Raises: InvalidInput saying what is wrong with it."""
    text = text.strip()
    selector, brace, rest = text[1:].partition("}")
    if not text.startswith("{") or not brace:
        raise InvalidInput("a query begins with a selector in braces", where=text, next_action=EXAMPLE)
    containers: list[Callable[[str], bool]] = []
    at = 0
    while selector[at:].strip():
        found = _MATCHER.match(selector, at)
        if found is None:
            raise InvalidInput("not a selector", where="{" + selector + "}", next_action=EXAMPLE)
        label, operator, value = found.groups()
        if label != "container":
            raise InvalidInput(f"no label {label!r}; there is only container", where=text, next_action=EXAMPLE)
        containers.append(_matcher(operator, value))
        at = found.end()
    words: list[str] = []
    without: list[str] = []
    for operator, quoted, bare in _WORD.findall(rest):
        word = (re.sub(r"\\(.)", r"\1", quoted) if quoted else bare).lower()
        (without if operator.startswith("!") else words).append(word)
    return Query(tuple(containers), tuple(words), tuple(without))


def search(folder: Path, query: Query) -> Iterator[Hit]:
    """All lines found, container by container, each from its oldest part on."""
    for path in sorted(folder.glob("*.log")):
        container = path.name.removesuffix(".log")
        if not query.takes(container):
            continue
        for part in logfile.rotated(path):
            with part.open(errors="replace") as lines:
                for line in lines:
                    if query.finds(line):
                        yield Hit(container, line.rstrip("\n"))
