"""What a log line says about itself: its time, its level, and whether it goes on with the entry before it.

Standard library only: the shipper must stay small. Times without a zone are UTC, which every child of the supervisor
is given as its zone. compose/alloy.py makes Alloy's expressions of the patterns, so they keep to what both Python and
Go's RE2 take: no lookahead, no lookbehind, no reference back.
"""

import calendar
import re
import time
from dataclasses import dataclass
from functools import lru_cache

# Label values of `level`; a log store keeps one stream per value, so the list is closed.
LEVELS = ("debug", "info", "warning", "error", "critical", "unknown")
UNKNOWN = "unknown"
# A line's own time that lies further in the future than this is not believed.
FUTURE_SECONDS = 3600.0

LEVEL_NAMES = {
    **dict.fromkeys(("trace", "debug", "fine", "finer", "finest", "verbose", "."), "debug"),
    **dict.fromkeys(("info", "notice", "note", "log", "config", "system", "*", "-"), "info"),
    **dict.fromkeys(("warn", "warning", "#"), "warning"),
    **dict.fromkeys(("error", "err", "severe"), "error"),
    **dict.fromkeys(("fatal", "panic", "critical", "emerg"), "critical"),
}
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
_CLOCK = r"(?P<h>\d\d?):(?P<m>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?"
HEADS = tuple(
    re.compile(pattern)
    for pattern in (
        # 2026-11-26T20:12:49,258 WARN … and the like; JSON {"at":"…"; Go's ts=, time=. MariaDB pads the hour with a
        # blank: 2026-11-27  3:16:00 0 [Warning] …
        r'(?:\{"at":"|(?:ts|time)="?)?(?P<Y>\d{4})[-/](?P<M>\d\d)[-/](?P<D>\d\d)(?:T|  ?)'
        rf"{_CLOCK} ?(?P<z>Z\b|[+-]\d\d:?\d\d)?",
        # 22052:M 26 Nov 2026 20:15:46.806 * … (Redis)
        rf"\d+:[A-Z] (?P<D>\d\d?) (?P<mon>[A-Z][a-z]{{2}}) (?P<Y>\d{{4}}) {_CLOCK}",
        # Nov 26, 2026 8:12:59 PM … (java.util.logging; its level begins the next line)
        rf"(?P<mon>[A-Z][a-z]{{2}}) (?P<D>\d\d?), (?P<Y>\d{{4}}) {_CLOCK}\s(?P<half>[AP]M)\b",
        # 20:12:49 | … (versitygw; the day is the one on which it is read)
        rf"{_CLOCK} \|",
    )
)
LEVEL = re.compile(
    r'"level":"(\w+)"|\blevel=(\w+)'
    r"|\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|PANIC|CRITICAL|LOG)\b"
    r"|\[(System|Note|Warning|ERROR)\]|\t(debug|info|warn|error|fatal|panic)\t"
)
REDIS_LEVEL = re.compile(r" ([.*#-]) ")
JUL_LEVEL = re.compile(r"(SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
BARE_LEVEL = re.compile(r"(SEVERE|WARNING|WARN|ERROR|INFO|FATAL|CRITICAL|DEBUG):? ")
TRACE_BEGINS = re.compile(r'Traceback \(most recent call last\):|Exception in thread "')
# A line that begins like this continues a trace, even where the entry has no time.
_GOES_ON = re.compile(
    r"[ \t]|Caused by:|Suppressed:|\.\.\. \d+ more|During handling of the above|The above exception was"
)
_LAST_OF_PYTHONS = re.compile(r"[A-Za-z_][\w.]*(?:: |:?$)")
# 2026-11-26 20:15:57.963 UTC [23037] DETAIL:  … (PostgreSQL tells one message in several lines, each with its time)
_MORE_OF_MESSAGE = re.compile(r"(\S+ \[\d+\] (?:\S+ )?)(?:DETAIL|HINT|QUERY|CONTEXT|LOCATION|BACKTRACE|STATEMENT):  ")
SOON_AS_HEAD = 120  # characters after the time in which a level is looked for


@dataclass
class Entry:
    """One entry of a log: a line, or a line and the trace that belongs to it.

    begins, ends: its first byte, and the first one after it, in the log's stream. time_ns: UNIX time.
    """

    begins: int
    ends: int
    time_ns: int
    level: str
    text: str
    has_time: bool = False
    lines: int = 1

    def takes(self, line: str) -> bool:
        """True where `line`, the next one of the log, belongs to this entry."""
        if (head := _head(line)) is not None:
            more = _MORE_OF_MESSAGE.match(line, head.end())
            own = _head(self.text) if more else None
            return more is not None and own is not None and self.text.startswith(more[1], own.end())
        if TRACE_BEGINS.match(line):
            # A logger writes a trace below its own error or warning, and a second trace, after an empty line, below
            # the first. A trace with no such line above it is an entry of its own.
            told = self.has_time and self.level in ("warning", "error", "critical") and self.lines == 1
            return told or ("Traceback (" in self.text and self.text.endswith("\n"))
        if self.has_time or _GOES_ON.match(line):
            return True
        in_trace = TRACE_BEGINS.match(self.text) is not None
        return in_trace and (not line or _LAST_OF_PYTHONS.match(line) is not None)

    def add(self, line: str, ends: int) -> None:
        """Take in the next line."""
        if self.level == UNKNOWN and (found := JUL_LEVEL.match(line)):
            self.level = LEVEL_NAMES[found[1].lower()]
        self.text += "\n" + line
        self.ends = ends
        self.lines += 1


def make_entry(line: str, begins: int, ends: int, now: float) -> Entry:
    """The entry that begins with this line, read at UNIX time `now`."""
    head = _head(line)
    if head is None:
        bare = BARE_LEVEL.match(line)
        level = "error" if TRACE_BEGINS.match(line) else LEVEL_NAMES[bare[1].lower()] if bare else UNKNOWN
        return Entry(begins, ends, int(now * 1e9), level, line)
    rest = line[head.end() : head.end() + SOON_AS_HEAD]
    found = LEVEL.search(rest)
    named = next((group for group in found.groups() if group), "") if found else ""
    if not named and (redis := REDIS_LEVEL.match(rest)):
        named = redis[1]
    level = LEVEL_NAMES.get(named.lower(), UNKNOWN)
    return Entry(begins, ends, _time_ns(head, begins, now), level, line, has_time=True)


def _head(line: str) -> re.Match[str] | None:
    for pattern in HEADS:
        if found := pattern.match(line):
            return found
    return None


def _time_ns(head: re.Match[str], begins: int, now: float) -> int:
    """The line's own time where it is to be believed, else `now`."""
    part = head.groupdict()
    try:
        if part.get("Y"):
            month = int(part["M"]) if part.get("M") else _MONTHS[part["mon"]]
            day = _midnight(int(part["Y"]), month, int(part["D"]))
        else:
            day = int(now) // 86400 * 86400
            if day + int(part["h"]) * 3600 > now + FUTURE_SECONDS:
                day -= 86400
    except (KeyError, ValueError):
        return int(now * 1e9)
    hour = int(part["h"])
    if part.get("half"):
        hour = hour % 12 + (12 if part["half"] == "PM" else 0)
    seconds = day + hour * 3600 + int(part["m"]) * 60 + int(part["s"])
    zone = part.get("z") or "Z"
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    if seconds > now + FUTURE_SECONDS:
        return int(now * 1e9)
    fraction = part.get("f") or ""
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    if len(fraction) <= 3:
        # Keeps lines of one millisecond in their order, and gives a line the same time however often it is read: Loki
        # takes two equal lines of one time for one line.
        nanoseconds += begins % 1_000_000
    return seconds * 1_000_000_000 + nanoseconds


@lru_cache(maxsize=8)
def _midnight(year: int, month: int, day: int) -> int:
    """The UNIX time at which the day begins in UTC. Raises: ValueError."""
    return calendar.timegm(time.strptime(f"{year:04d}-{month:02d}-{day:02d}", "%Y-%m-%d"))
