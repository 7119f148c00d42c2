"""The draft of an RCA, in Markdown: what the desk knows, each number with the reading it came from.

It is a draft: cause and prevention are for people to finish; the desk never invents them.
"""

from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from lakeproof.incidents.footnotes import Footnotes, escape, format_time
from lakeproof.incidents.shapes import EntryOut, IncidentOut, ReadingShape

DIAGNOSIS = "diagnosis"
ACTION = "action"
VERIFICATION = "verification"


def draft_rca(incident: IncidentOut, *, root_cause: str = "") -> str:
    """The document. `root_cause`: as a diagnosis or a person named it; else the one kept with the incident."""
    notes = Footnotes()
    page = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(
        (files("lakeproof.incidents") / "rca.md.j2").read_text(encoding="utf-8")
    )
    body = page.render(
        title=_own(notes, incident, incident.title, "title"),
        id=_own(notes, incident, incident.id, "id"),
        facts=_facts(notes, incident),
        durations=_durations(notes, incident),
        use_cases=[_own(notes, incident, name, "use_cases") for name in incident.use_cases],
        moment=[notes.reading(reading) for reading in (incident.moment or {}).values()],
        alerts=_alerts(notes, incident),
        timeline=[_line(notes, incident, entry) for entry in incident.timeline],
        root_cause=_own(notes, incident, root_cause or incident.root_cause, "root_cause"),
        diagnosis=_sources(notes, incident, DIAGNOSIS),
        actions=_sources(notes, incident, ACTION),
        verification=_sources(notes, incident, VERIFICATION),
        others=_sources(notes, incident, None),
    )
    return f"{body.rstrip()}\n\n{notes.render()}\n"


def _own(notes: Footnotes, incident: IncidentOut, text: str, field: str) -> str:
    """A field of the incident; only numbers in it need a source."""
    if not any(letter.isdigit() for letter in text):
        return escape(text)
    return notes.cite(text, source="desk", query=f"{incident.id} {field}", value=text, at=incident.opened_at)


def _facts(notes: Footnotes, incident: IncidentOut) -> list[tuple[str, str]]:
    facts = [
        ("Status", incident.status.value),
        ("Severity", incident.severity),
        ("Team", incident.team),
        ("Owner", incident.owner or "nobody"),
        ("Service", incident.service or "not said"),
        ("Scenario", incident.scenario),
    ]
    found = [(name, _own(notes, incident, value, name.lower())) for name, value in facts]
    if incident.metric:
        first = incident.alerts[0].starts_at if incident.alerts else incident.opened_at
        value = "an unknown value" if incident.value is None else f"{incident.value:.6g}"
        text = f"{incident.metric} = {value}"
        cited = notes.cite(text, source="desk", query=f"{incident.id} violated metric", value=value, at=first)
        found.append(("Violated metric", cited))
    return found


def _durations(notes: Footnotes, incident: IncidentOut) -> list[tuple[str, str]]:
    steps: list[tuple[str, datetime | None]] = [
        ("To acknowledge", incident.acknowledged_at),
        ("To the first repair step", incident.mitigating_at),
        ("To resolve", incident.resolved_at),
    ]
    if incident.alerts:
        steps.insert(0, ("From the alert to the desk", None))
    found = []
    for name, end in steps:
        start = incident.opened_at
        if end is None and name.startswith("From"):
            start, end = incident.alerts[0].starts_at, incident.alerts[0].received_at
        if end is not None:
            seconds = f"{(end - start).total_seconds():.1f} s"
            query = f"{format_time(start)} → {format_time(end)}"
            found.append((name, notes.cite(seconds, source="desk", query=query, value=seconds, at=end)))
    return found


def _alerts(notes: Footnotes, incident: IncidentOut) -> list[str]:
    found = []
    for alert in incident.alerts:
        text = f"{alert.name} since {format_time(alert.starts_at)}"
        text += f" until {format_time(alert.ends_at)}" if alert.ends_at else f" ({alert.status})"
        query = f"{alert.name} {alert.fingerprint}"
        value = alert.annotations.get("value", alert.status)
        found.append(notes.cite(text, source="alertmanager", query=query, value=value, at=alert.starts_at))
    return found


def _line(notes: Footnotes, incident: IncidentOut, entry: EntryOut) -> tuple[str, str, str]:
    def cite(text: str) -> str:
        return notes.cite(
            text, source="desk", query=f"{incident.id} timeline, entry {entry.id}", value=entry.kind, at=entry.at
        )

    who = cite(entry.who) if any(letter.isdigit() for letter in entry.who) else escape(entry.who)
    return cite(format_time(entry.at)), who, cite(entry.what)


def _sources(notes: Footnotes, incident: IncidentOut, kind: str | None) -> list[tuple[str, list[str]]]:
    """Documents and timeline lines of that kind, each with its readings; None: documents of other kinds."""
    known = {DIAGNOSIS, ACTION, VERIFICATION}
    found = []
    documents = [one for one in incident.evidence if (one.kind == kind if kind else one.kind not in known)]
    for document in documents:
        text = notes.cite(
            document.title,
            source="desk",
            query=f"{incident.id} evidence {document.id}",
            value=document.kind,
            at=document.at,
        )
        found.append((text, _readings(notes, document.readings)))
    attached = {(document.kind, document.at) for document in incident.evidence}
    for entry in incident.timeline:
        if kind and entry.kind == kind and (entry.kind, entry.at) not in attached:
            found.append((_line(notes, incident, entry)[2], _readings(notes, entry.readings)))
    return found


def _readings(notes: Footnotes, readings: Iterable[ReadingShape]) -> list[str]:
    return [notes.reading(reading) for reading in readings]
