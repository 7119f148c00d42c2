"""A stored log query, {selector} words, and what it is in the language of each log store.

    {container="kafka", level!="info"} error "two words" !retry |~ "took \\d+ ms"

Loki and VictoriaLogs have only the selector in common, so a query is kept in this form and rendered to LogQL and to
LogsQL. Without a store the same query is asked of the log files (search.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lakeproof.errors import InvalidInput
from lakeproof.observability.logs.entry import LEVELS

LABELS = ("container", "service", "level")
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
EXAMPLE = """e.g. '{container="kafka"} error'"""
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)?')
_WORD = re.compile(r'\s*(\|=|\|~|!=|!~|!)?\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\S+))')


@dataclass(frozen=True)
class Matcher:
    """One condition on a label. A pattern must match the whole value, as in both stores."""

    label: str
    operator: str
    value: str

    def matches(self, value: str) -> bool:
        """True where a label with this value is chosen."""
        pattern = self.operator.endswith("~")
        hit = re.fullmatch(self.value, value) is not None if pattern else value == self.value
        return hit != self.operator.startswith("!")

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{_quoted(self.value)}"


@dataclass(frozen=True)
class Word:
    """What an entry must have, or must not have: a word, in upper or lower case, or a regular expression."""

    text: str
    wanted: bool = True
    pattern: bool = False

    @property
    def expression(self) -> str:
        """A regular expression for it, in the syntax that Python, Loki and VictoriaLogs share."""
        return self.text if self.pattern else "(?i)" + _SPECIAL.sub(r"\\\g<0>", self.text)


@dataclass(frozen=True)
class Query:
    """Which entries are looked for."""

    matchers: tuple[Matcher, ...]
    words: tuple[Word, ...]

    def takes(self, labels: Mapping[str, str]) -> bool:
        """True when the selector chooses an entry with these labels; those that are not given are not looked at."""
        return all(each.matches(labels[each.label]) for each in self.matchers if each.label in labels)

    def finds(self, text: str) -> bool:
        """True when the text has all that it must have and nothing that it must not have."""
        return all((re.search(word.expression, text) is not None) == word.wanted for word in self.words)

    def to_logsql(self) -> str:
        """The query for VictoriaLogs."""
        selector = "{" + ",".join(map(str, self.matchers)) + "}" if self.matchers else "*"
        words = [f"{'' if word.wanted else '!'}_msg:~{_quoted(word.expression)}" for word in self.words]
        return " ".join((selector, *words))

    def to_logql(self) -> str:
        """The query for Loki, which wants at least one condition that an empty value does not meet."""
        matchers = self.matchers if any(m.operator == "=" and m.value for m in self.matchers) else ()
        given = [*map(str, self.matchers)] if matchers else [*map(str, self.matchers), 'container=~".+"']
        words = [f"{'|' if word.wanted else '!'}~ {_quoted(word.expression)}" for word in self.words]
        return " ".join(("{" + ",".join(given) + "}", *words))


RENDERINGS = {"victorialogs": Query.to_logsql, "loki": Query.to_logql}


def parse(text: str) -> Query:
    """Read a query. The braces may be left out, as the runbook does. Raises: InvalidInput saying what is wrong."""
    text = text.strip()
    matchers: list[Matcher] = []
    if text.startswith("{"):
        at = 1
        while text[at:].lstrip()[:1] not in ("}", ""):
            found = _MATCHER.match(text, at)
            if found is None:
                raise InvalidInput("not a selector", where=text, next_action=EXAMPLE)
            matchers.append(_matcher(found, text))
            at = found.end()
        rest = text[at:].lstrip()
        if not rest.startswith("}"):
            raise InvalidInput("the selector's brace is not closed", where=text, next_action=EXAMPLE)
        rest = rest[1:]
    else:
        found = _MATCHER.match(text)
        if found is None:
            raise InvalidInput("a query begins with a selector in braces", where=text, next_action=EXAMPLE)
        matchers.append(_matcher(found, text))
        rest = text[found.end() :]
    words = []
    for operator, quoted, raw, bare in _WORD.findall(rest):
        word = raw or bare or _unquoted(quoted)
        if operator.endswith("~"):
            _require_pattern(word)
        words.append(Word(word, not operator.startswith("!"), operator.endswith("~")))
    return Query(tuple(matchers), tuple(words))


def _matcher(found: re.Match[str], text: str) -> Matcher:
    label, operator, quoted, _ = found.groups()
    if label not in LABELS:
        raise InvalidInput(f"no label {label!r}; there are {', '.join(LABELS)}", where=text, next_action=EXAMPLE)
    value = _unquoted(quoted)
    if operator.endswith("~"):
        _require_pattern(value)
    elif label == "level" and value not in LEVELS:
        raise InvalidInput(f"no level {value!r}", where=text, next_action=f"one of {', '.join(LEVELS)}")
    return Matcher(label, operator, value)


def _require_pattern(value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise InvalidInput(f"not a pattern: {error}", where=value, next_action=EXAMPLE) from error


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unquoted(text: str) -> str:
    r"""What stands between quotes, without the backslashes that protect \ and "; those of a pattern (\d) stay."""
    return re.sub(r'\\([\\"])', r"\1", text)
