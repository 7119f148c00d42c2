"""The quarterly review of the runbook: which page is due, which scenario was never drilled, which alert never fired.

A page is due where nobody reviewed it in this quarter, or since the last high or critical incident of its scenario
(the runbook asks for both).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from lakeproof.incidents.drill_cards import DrillCard, newest_of

NEVER = "never"
NO_DRILL = "-"


@dataclass(frozen=True)
class PageReview:
    """How things stand with one page of the runbook.

    why: what makes the page due; "" where nothing does.
    reviewed, drilled, incident: the day of the last one, or "never"; `drilled` is "-" where nothing can be drilled.
    """

    page: str
    due: bool
    why: str
    reviewed: str
    drilled: str
    verdict: str
    incident: str


@dataclass(frozen=True)
class RunbookReview:
    """All pages, the due ones first. never_fired: alerts in no incident of this desk and in no drill's report."""

    quarter: str
    pages: tuple[PageReview, ...]
    never_drilled: tuple[str, ...]
    never_fired: tuple[str, ...]


def review_of(
    scenarios: Sequence[str],
    alerts: Iterable[str],
    drills: Sequence[DrillCard],
    history: Mapping[str, Any],
    now: datetime,
    further_pages: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> RunbookReview:
    """The review of every page, from what the desk and the drills know.

    drills: newest first.
    history: as the desk gives it (`GET /api/runbook/history`).
    further_pages: the pages that belong to no scenario, each with its alerts. Nothing can be drilled there.
    """
    quarter_begins = datetime(now.year, 3 * ((now.month - 1) // 3) + 1, 1, tzinfo=UTC)
    reviewed = {one["page"]: datetime.fromisoformat(one["at"]) for one in history["reviews"]}
    incidents = {name: datetime.fromisoformat(at) for name, at in history["incidents"].items()}
    newest = newest_of(drills)

    def look(name: str) -> PageReview:
        at, incident, drill = reviewed.get(name), incidents.get(name), newest.get(name)
        own = further_pages.get(name)
        if own is not None:
            fired_at = [
                datetime.fromisoformat(history["alerts"][alert]) for alert in own if alert in history["alerts"]
            ]
            incident = max(fired_at, default=None)
        why = ""
        if at is None or at < quarter_begins:
            why = "not reviewed in this quarter"
        elif incident is not None and at < incident:
            why = "not reviewed since its last major incident"
        drilled, verdict = (_day(drill.at), drill.verdict) if drill else (NEVER if own is None else NO_DRILL, "")
        return PageReview(name, bool(why), why, _day(at), drilled, verdict, _day(incident))

    pages = sorted((look(name) for name in (*scenarios, *further_pages)), key=lambda page: not page.due)
    fired = {*history["alerts"], *(alert for card in drills for alert in card.fired)}
    return RunbookReview(
        quarter=f"{now.year} Q{(now.month - 1) // 3 + 1}",
        pages=tuple(pages),
        never_drilled=tuple(name for name in scenarios if name not in newest),
        never_fired=tuple(sorted({alert for alert in alerts if alert not in fired})),
    )


def _day(at: datetime | None) -> str:
    return NEVER if at is None else f"{at:%Y-%m-%d}"
