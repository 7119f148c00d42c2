"""What documents attached to an incident say: a diagnosis its causes and readings, a verification its verdicts.

Anybody may attach a document of any shape. In a document of an unknown shape these functions find nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakeproof.incidents.footnotes import NO_VALUE
from lakeproof.incidents.shapes import EvidenceOut, IncidentOut, ReadingShape

DIAGNOSIS = "diagnosis"
ACTION = "action"
VERIFICATION = "verification"
PASSED = "passed"
OUTCOMES = {PASSED, "failed", "unknown"}


@dataclass(frozen=True)
class Seen:
    """A reading as a diagnosis tells it.

    was: the value with its unit, or why there is none.
    expected: the value in a healthy stack.
    """

    probe: str
    was: str
    expected: str
    source: str
    query: str
    value: Any
    at: datetime


@dataclass(frozen=True)
class NamedCause:
    """A cause that a diagnosis names, with what speaks for it and against it."""

    id: str
    seen: tuple[Seen, ...]
    against: tuple[Seen, ...]


@dataclass(frozen=True)
class Verdict:
    """The verdict on one claim: passed, failed or unknown, and what was found."""

    check: str
    outcome: str
    found: str

    @property
    def passed(self) -> bool:
        """True where the claim was proven."""
        return self.outcome == PASSED


def title_in(incident: IncidentOut, document: EvidenceOut) -> str:
    """The document's title, with the part's id before it where it was attached to a part of that incident."""
    return document.title if document.incident == incident.id else f"{document.incident}: {document.title}"


def newest(incident: IncidentOut, kind: str) -> EvidenceOut | None:
    """The last document of that kind, of the incident or of a part of it."""
    return next((one for one in reversed(incident.evidence) if one.kind == kind), None)


def causes_of(document: EvidenceOut) -> tuple[NamedCause, ...]:
    """The causes in the shape of `diagnose --json`, the best supported first."""
    causes = document.body.get("causes") if isinstance(document.body, dict) else None
    return tuple(
        NamedCause(
            str(one.get("cause", "")), _all_seen(one.get("for"), document), _all_seen(one.get("against"), document)
        )
        for one in objects_in(causes)
    )


def unknown_of(document: EvidenceOut) -> tuple[Seen, ...]:
    """Readings of a diagnosis that are out of range and that no named cause accounts for."""
    return _all_seen(document.body.get("unknown") if isinstance(document.body, dict) else None, document)


def healthy_of(document: EvidenceOut) -> list[ReadingShape]:
    """The readings of a document that speak for no cause, against none, and are not out of range."""
    told = {seen.probe for cause in causes_of(document) for seen in (*cause.seen, *cause.against)}
    told |= {seen.probe for seen in unknown_of(document)}
    return [one for one in document.readings if (one.probe or one.query) not in told]


def verdicts_of(document: EvidenceOut) -> tuple[Verdict, ...]:
    """The verdicts of a verification, of the shape {check: "outcome: what was found"}."""
    if not isinstance(document.body, dict):
        return ()
    split = [(str(check), *str(text).partition(": ")) for check, text in document.body.items()]
    found = tuple(Verdict(check, outcome, what) for check, outcome, _, what in split)
    return found if all(verdict.outcome in OUTCOMES for verdict in found) else ()


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """The JSON objects of a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _all_seen(value: Any, document: EvidenceOut) -> tuple[Seen, ...]:
    return tuple(_seen(one, document.at) for one in objects_in(value))


def _seen(one: Mapping[str, Any], kept_at: datetime) -> Seen:
    query, value = str(one.get("query", "")), one.get("error") or one.get("value")
    return Seen(
        probe=str(one.get("probe") or query),
        was=NO_VALUE if value is None else f"{value} {one.get('unit', '')}".rstrip(),
        expected=str(one.get("expected", "")),
        source=str(one.get("source", "")),
        query=query,
        value=value,
        at=_time(one.get("at")) or kept_at,
    )


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
