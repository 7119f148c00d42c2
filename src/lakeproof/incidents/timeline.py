"""Lines of a timeline: how they are written, and a summary of the few that a reader needs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakeproof.incidents.models import Entry, Incident
from lakeproof.incidents.person import ALERTMANAGER, DESK
from lakeproof.incidents.shapes import EntryOut, ReadingShape

MACHINES = (ALERTMANAGER, DESK)
# At least this many lines of a machine that say the same become one line of the summary.
REPEATED = 3
# The most lines of a summary: it is read in a minute.
MOST_LINES = 30
# Alertmanager's lines about one alert. The line on its first firing may say that it opened the incident.
_FIRED = re.compile(r"(?:opened by (.+)|(.+) firing)")
_CLEARED = re.compile(r"(.+) cleared")


@dataclass(frozen=True)
class Told:
    """One line of a summary, and the lines of the timeline that it stands for, in their order."""

    what: str
    entries: tuple[EntryOut, ...]

    @property
    def needed(self) -> bool:
        """True for what a person or a repair did, and for each change of status."""
        first = self.entries[0]
        return first.who not in MACHINES or first.kind in ("opened", "status", "action")


def summarize(timeline: Sequence[EntryOut]) -> list[Told]:
    """At most MOST_LINES lines, in the timeline's order; what is left out stands in the timeline alone.

    Lines of a machine that repeat become one, at the place of the first: an alert that fires and clears again and
    again, or the desk that finds the same. A person's line is never folded. Where that is still too long, the lines
    that are not `needed` go, then those in the middle.
    """
    alike: dict[tuple[str, ...], list[EntryOut]] = {}
    for entry in timeline:
        alike.setdefault(_sort_of(entry), []).append(entry)
    told = []
    for entries in alike.values():
        if len(entries) < REPEATED:
            told += [Told(one.what, (one,)) for one in entries]
        else:
            told.append(Told(_fold(entries), tuple(entries)))
    told.sort(key=lambda one: one.entries[0].id)
    if len(told) > MOST_LINES:
        told = [one for one in told if one.needed]
    if len(told) > MOST_LINES:
        told = told[: MOST_LINES // 2] + told[-MOST_LINES // 2 :]
    return told


def _sort_of(entry: EntryOut) -> tuple[str, ...]:
    """A key that is the same for lines that say the same."""
    if entry.who not in MACHINES:
        return (str(entry.id),)
    if alert := _alert_of(entry):
        return (entry.who, alert)
    # After the colon stands what was found this time, such as the number of a checkpoint.
    return (entry.who, entry.kind, entry.what.partition(": ")[0])


def _alert_of(entry: EntryOut) -> str:
    """The alert that a line tells of, fired or cleared; "" where it tells of something else, or of more."""
    fired, cleared = _FIRED.fullmatch(entry.what), _CLEARED.fullmatch(entry.what)
    if entry.who != ALERTMANAGER or not (fired or cleared):
        return ""
    return cleared[1] if cleared else str(fired and (fired[1] or fired[2]))


def _fold(entries: Sequence[EntryOut]) -> str:
    first, last = entries[0], entries[-1]
    day = "" if first.at.date() == last.at.date() else f"{last.at:%Y-%m-%d} "
    when = f"between {first.at:%H:%M:%S} and {day}{last.at:%H:%M:%S}"
    if alert := _alert_of(first):
        cleared = sum(_CLEARED.fullmatch(entry.what) is not None for entry in entries)
        fired = len(entries) - cleared
        often = (
            f"fired and cleared {fired} times" if fired == cleared else f"fired {fired} and cleared {cleared} times"
        )
        return f"opened by {alert}, which {often} {when}" if first.kind == "opened" else f"{alert} {often} {when}"
    same = all(entry.what == first.what for entry in entries)
    return f"{first.what if same else first.what.partition(': ')[0]} ({len(entries)} times {when})"


def add_entry(
    incident: Incident,
    at: datetime,
    who: str,
    kind: str,
    what: str,
    readings: Iterable[ReadingShape] = (),
    key: str = "",
) -> None:
    """Write a line. A timeline is in the order of writing, so a clock that is set back does not reorder it."""
    kept = [one.model_dump(mode="json") for one in readings]
    incident.entries.append(Entry(at=at, who=who, kind=kind, what=what, readings=kept, key=key or None))
