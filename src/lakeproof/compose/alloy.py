"""Alloy's configuration: what the log shipper knows of entries and their levels, as Alloy's expressions.

An expression is Go's RE2 and has one group, `level`. Forms that only the logs of the images have are added here.
"""

import re
from importlib.resources import files

from lakeproof.observability.logs.entry import (
    BARE_LEVEL,
    HEADS,
    JUL_LEVEL,
    LEVEL,
    LEVEL_NAMES,
    LEVELS,
    REDIS_LEVEL,
    SOON_AS_HEAD,
    TRACE_BEGINS,
    UNKNOWN,
)

_GROUP = re.compile(r"(?<!\\)\((?:\?P<\w+>|(?!\?))")
# Words that begin a trace, beside those that name a level.
_TRACE_NAMES = {"traceback": "error", "exception": "error"}


def alloy_config() -> str:
    """The text of alloy.config, with the shipper's patterns in the place of its words in capitals."""
    # Kafka's image writes the time in brackets.
    head = rf"\[?{_one_of(*HEADS)}"
    # Cassandra's image writes the level before the time; Loki and Grafana begin with another field.
    begins = rf"{head}|(?:TRACE|DEBUG|INFO|WARN|ERROR) {{1,2}}[\[\d]|(?:level|logger)="
    # A logger never writes this line below its own line, while it does so with Python's trace.
    uncaught = 'Exception in thread "'
    filled = {
        "FIRST_LINE": rf"^(?:{begins}|{uncaught})",
        "LEVEL_WITHOUT_TIME": rf"^(?P<level>level=\w+|{_one_of(TRACE_BEGINS, BARE_LEVEL)})",
        "LEVEL_ON_SECOND_LINE": rf"^{head}.*\n(?P<level>{_one_of(JUL_LEVEL)})",
        "LEVEL_OF_REDIS": rf"^{head}(?P<level>{_one_of(REDIS_LEVEL)})",
        "LEVEL_AFTER_TIME": rf"^(?:{head}|logger=).{{0,{SOON_AS_HEAD}}}?(?P<level>{_one_of(LEVEL)})",
        "LEVEL_OF_TRACE_BELOW": rf"^.*\b(?:DEBUG|INFO|NOTICE|LOG)\b.*\n(?:.*\n)*?(?P<level>{_one_of(TRACE_BEGINS)})",
        "LEVEL_NAMES": _named(LEVEL_NAMES | _TRACE_NAMES),
    }
    text = files("lakeproof.compose").joinpath("alloy.config").read_text(encoding="utf-8")
    for word, pattern in filled.items():
        text = text.replace(f"`{word}`", f"`{pattern}`")
    return text


def _one_of(*patterns: re.Pattern[str]) -> str:
    """An expression that matches where any of the patterns does, without their groups."""
    return "(?:" + "|".join(_GROUP.sub("(?:", pattern.pattern) for pattern in patterns) + ")"


def _named(names: dict[str, str]) -> str:
    """Go's template that makes a level of the word that was found."""
    words = {level: " ".join(f'"{word}"' for word, name in names.items() if name == level) for level in LEVELS}
    cases = " else ".join(f"if eq $word {said} }}}}{level}{{{{" for level, said in words.items() if said)
    named = f"{{{{ $word := ToLower . }}}}{{{{ {cases} else }}}}{UNKNOWN}{{{{ end }}}}"
    return f"{{{{ with .Value }}}}{named}{{{{ else }}}}{UNKNOWN}{{{{ end }}}}"
