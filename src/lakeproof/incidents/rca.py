"""The draft of an RCA, in Markdown: a page that a person reads in two minutes, and an appendix with every reading.

It is a draft: prevention is for people to finish, and what the desk does not know it does not invent.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from lakeproof.incidents.documents import (
    ACTION,
    DIAGNOSIS,
    VERIFICATION,
    NamedCause,
    Seen,
    causes_of,
    newest,
    title_in,
    verdicts_of,
)
from lakeproof.incidents.footnotes import Footnotes, escape, format_time, shown
from lakeproof.incidents.shapes import EntryOut, IncidentOut, ReadingShape
from lakeproof.incidents.timeline import summarize

# At most this many readings are shown of one cause. The other ones stand in the appendix.
DECIDING_READINGS = 6
# The key of the violating value among the readings of an incident's moment (observability/moment.py).
VIOLATION = "violation"
# What the incident cost, as checks count it: the last word of a reading's name → the title of its row.
COUNTED = {
    "calls_acknowledged": "Calls served while the check watched",
    "calls_refused": "Calls refused meanwhile",
    "calls_unclear": "Calls without a clear answer meanwhile",
    "acknowledged": "Acknowledged orders that were judged",
}
# Readings with this end of their name say how far `main` is behind a database.
BEHIND = "-publish-age"


def _row(*cells: str) -> str:
    """One line of a table. Its last cell ends with the mark of its source."""
    return f"| {' | '.join(cells)} |"


def draft_rca(incident: IncidentOut, *, root_cause: str = "") -> str:
    """The whole document. `root_cause`: as a diagnosis or a person named it; "": the one kept with the incident."""
    page = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(
        (files("lakeproof.incidents") / "rca.md.j2").read_text(encoding="utf-8")
    )
    draft = _Draft(incident, root_cause or incident.root_cause)
    body = page.render(
        title=escape(incident.title),
        headline=draft.headline(),
        story=list(draft.story()),
        impact=list(draft.impact()),
        timeline=list(draft.timeline()),
        left_out=draft.left_out(),
        day=f"{incident.opened_at:%Y-%m-%d}",
        root_cause=draft.cause(),
        deciding=list(draft.deciding()),
        against=list(draft.against()),
        actions=[draft.line(entry) for entry in draft.actions],
        claims=list(draft.claims()),
        lesson=draft.lesson(),
        readings=list(draft.readings()),
        whole_timeline=list(draft.whole_timeline()),
    )
    return f"{body.rstrip()}\n\n{draft.notes.render()}\n"


class _Draft:
    """The parts of one document. Every fact that holds a number ends with the mark of its source."""

    def __init__(self, incident: IncidentOut, root_cause: str) -> None:
        self.incident, self.root_cause = incident, root_cause
        self.notes = Footnotes()
        self.actions = [entry for entry in incident.timeline if entry.kind == ACTION]
        self.summary = summarize(incident.timeline)

    def headline(self) -> str:
        incident = self.incident
        facts = (
            incident.id,
            incident.status.value,
            f"severity {incident.severity}",
            f"team {incident.team}",
            f"owner {incident.owner or 'nobody'}",
            f"service {incident.service or 'not said'}",
            f"scenario {incident.scenario}",
        )
        return self._own(" · ".join(facts), "record", incident.status.value, incident.opened_at)

    # what happened

    def story(self) -> Iterable[str]:
        """The incident in five lines: what was seen, why, what was done, when it ended, and are the data whole."""
        incident = self.incident
        if incident.alerts:
            alert = incident.alerts[0]
            text = f"{_clock(alert.starts_at)}: the alert {alert.name} fired. {incident.title}"
            value = alert.annotations.get("value", alert.status)
            query = f"{alert.name} {alert.fingerprint}"
            mark = self.notes.mark(source="alertmanager", query=query, value=value, at=alert.starts_at)
            yield f"{escape(text)} {mark}"
        else:
            text = f"{_clock(incident.opened_at)}: opened by hand, no alert fired. {incident.title}"
            yield self._own(text, "opened", incident.title, incident.opened_at)
        yield f"Cause: {self.cause()}"
        yield self._done()
        yield self._ended()
        yield self._whole()

    def cause(self) -> str:
        if not self.root_cause:
            return "not named yet."
        document = newest(self.incident, DIAGNOSIS)
        at = document.at if document else self.incident.opened_at
        return self._own(self.root_cause, "root cause", self.root_cause, at)

    def _done(self) -> str:
        if not self.actions:
            return "Nothing that was done is recorded."
        last = self.actions[-1]
        more = f" (the last of {len(self.actions)} steps)" if len(self.actions) > 1 else ""
        return self._entry(f"{_clock(last.at)}: {last.what}{more}", last)

    def _ended(self) -> str:
        alerts = self.incident.alerts
        if not alerts:
            return "No alert told of it, so none tells of its end."
        still = [alert.name for alert in alerts if alert.ends_at is None]
        if still:
            text = f"Still firing: {', '.join(sorted(set(still)))}"
            return self._own(text, "alerts", len(still), alerts[-1].starts_at)
        first, last = min(each.starts_at for each in alerts), max(each.ends_at for each in alerts if each.ends_at)
        text = f"{_clock(last)}: every alert was cleared, {_seconds(last - first)} after the first one fired"
        return self._own(text, "alerts", f"{format_time(first)} → {format_time(last)}", last)

    def _whole(self) -> str:
        document = newest(self.incident, VERIFICATION)
        if document is None:
            return "The data were not verified: nothing is claimed of them."
        verdicts = verdicts_of(document)
        if not verdicts:
            return self._own(
                f"Verified: {title_in(self.incident, document)}",
                f"evidence {document.id}",
                document.title,
                document.at,
            )
        open_claims = [verdict.check for verdict in verdicts if not verdict.passed]
        text = (
            f"NOT proven: {', '.join(open_claims)} ({len(open_claims)} of {len(verdicts)} claims)"
            if open_claims
            else f"Afterwards all {len(verdicts)} claims about service and data were proven"
        )
        return self._own(text, f"evidence {document.id}", f"{len(verdicts)} claims", document.at)

    # impact

    def impact(self) -> Iterable[str]:
        incident = self.incident
        if has_value := bool(incident.metric or (incident.alerts and incident.value is not None)):
            yield _row("Violated metric", self._violated())
        for key, reading in (incident.moment or {}).items():
            if key == VIOLATION and reading.error is None and has_value:
                continue  # the row above has this value, with its unit
            name = (reading.probe or reading.query).replace("_", " ").replace("-", " ")
            yield self._measured(escape(name.capitalize()) + " when it opened", reading)
        for name, start, end in self._durations():
            query = f"{format_time(start)} → {format_time(end)}"
            yield _row(name, self._own(_seconds(end - start), query, _seconds(end - start), end))
        for name, reading in self._cost():
            yield self._measured(name, reading)
        if incident.use_cases:
            text = ", ".join(incident.use_cases)
            yield _row(
                "Use cases concerned", self._own(text, "use cases", len(incident.use_cases), incident.opened_at)
            )

    def _cost(self) -> Iterable[tuple[str, ReadingShape]]:
        """What the attached documents counted: the last count of each kind, and the greatest age of `main` that was
        read for each database.
        """
        readings = [one for document in self.incident.evidence for one in document.readings]
        counted = {one.probe.rpartition(".")[2]: one for one in readings if "." in one.probe}
        yield from ((name, counted[key]) for key, name in COUNTED.items() if key in counted)
        ages = [one for one in readings if one.probe.endswith(BEHIND) and isinstance(one.value, int | float)]
        for probe in sorted({one.probe for one in ages}):
            oldest = max((one for one in ages if one.probe == probe), key=lambda one: float(one.value or 0))
            yield f"`main` behind {escape(probe.removesuffix(BEHIND))} when it was read", oldest

    def _measured(self, name: str, reading: ReadingShape) -> str:
        return _row(name, f"{escape(shown(reading))} {self.notes.of(reading)}")

    def _violated(self) -> str:
        """The violated metric. Its source is Prometheus where it still had the value, else what the desk kept."""
        incident = self.incident
        text = incident.violated() if incident.value is not None else f"{incident.metric} = unknown"
        reading = (incident.moment or {}).get(VIOLATION)
        if reading is not None and reading.error is None:
            return f"{escape(text)} {self.notes.of(reading)}"
        first = incident.alerts[0].starts_at if incident.alerts else incident.opened_at
        value = "unknown" if incident.value is None else f"{incident.value:.6g}"
        return self._own(text, "violated metric", value, first)

    def _durations(self) -> Iterable[tuple[str, datetime, datetime]]:
        incident = self.incident
        if incident.alerts:
            yield "From the alert to the desk", incident.alerts[0].starts_at, incident.alerts[0].received_at
        for name, end in (
            ("To acknowledge", incident.acknowledged_at),
            ("To the first repair step", self._first_repair_at()),
            ("To resolve", incident.resolved_at),
        ):
            if end is not None:
                yield name, incident.opened_at, end

    def _first_repair_at(self) -> datetime | None:
        """The begin of the first repair, which the timeline tells: `mitigating_at` is the begin of the last one."""
        begun = (
            one.at for one in self.incident.timeline if one.kind == "status" and one.what.startswith("mitigating")
        )
        return next(begun, self.incident.mitigating_at)

    # cause

    def deciding(self) -> Iterable[str]:
        """The readings that decided the diagnosis, the most telling first as the cause lists them."""
        for cause in self._named():
            yield from map(self._seen, cause.seen[:DECIDING_READINGS])

    def against(self) -> Iterable[str]:
        """Readings that speak against the named causes: what a cause would make one expect, and was not seen."""
        for cause in self._named():
            yield from map(self._seen, cause.against[:DECIDING_READINGS])

    def _named(self) -> tuple[NamedCause, ...]:
        document = newest(self.incident, DIAGNOSIS)
        causes = causes_of(document) if document else ()
        words = set(re.findall(r"\w+", self.root_cause))
        return tuple(cause for cause in causes if cause.id in words) or causes[:1]

    def _seen(self, seen: Seen) -> str:
        mark = self.notes.mark(source=seen.source, query=seen.query, value=seen.value, at=seen.at)
        return _row(escape(seen.probe), escape(seen.was), f"{escape(seen.expected)} {mark}")

    # what was done, proof, appendix

    def timeline(self) -> Iterable[str]:
        """The summary of the timeline, in which repeats are one line. The whole timeline stands in the appendix."""
        for told in self.summary:
            first, last = told.entries[0], told.entries[-1]
            field = f"timeline, entries {first.id} to {last.id}"
            text = self._own(told.what, field, len(told.entries), last.at) if len(told.entries) > 1 else None
            yield self.line(first, text)

    def left_out(self) -> str:
        """A sentence that says how many lines the summary sums up; "" where the summary is the whole timeline."""
        whole = len(self.incident.timeline)
        if len(self.summary) == whole:
            return ""
        text = f"{len(self.summary)} lines sum up {whole}, which all stand in the appendix"
        return self._own(text, "timeline", whole, self.incident.timeline[-1].at)

    def whole_timeline(self) -> Iterable[str]:
        """Every line of the timeline; none where the summary is the whole timeline."""
        if len(self.summary) < len(self.incident.timeline):
            yield from map(self.line, self.incident.timeline)

    def line(self, entry: EntryOut, text: str | None = None) -> str:
        """A line of the timeline; its day is named where that is not the day on which the incident was opened.

        `text`: takes the place of the line's own text, and has its source already.
        """
        same_day = entry.at.date() == self.incident.opened_at.date()
        when = _clock(entry.at) if same_day else f"{entry.at:%Y-%m-%d} {_clock(entry.at)}"
        return _row(when, escape(entry.who), text or self._entry(entry.what, entry))

    def claims(self) -> Iterable[str]:
        document = newest(self.incident, VERIFICATION)
        if document is None:
            return
        for verdict in verdicts_of(document):
            text = self._own(verdict.found, f"evidence {document.id}, {verdict.check}", verdict.outcome, document.at)
            yield _row(escape(verdict.check), escape(verdict.outcome), text)

    def readings(self) -> Iterable[str]:
        """Every reading that was kept: of the attached documents, then of the timeline's own lines."""
        for document in self.incident.evidence:
            yield from self._readings(title_in(self.incident, document), document.readings)
        attached = {(document.kind, document.at) for document in self.incident.evidence}
        for entry in self.incident.timeline:
            if (entry.kind, entry.at) not in attached:
                yield from self._readings(entry.what, entry.readings)

    def _readings(self, title: str, readings: Iterable[ReadingShape]) -> Iterable[str]:
        for reading in readings:
            name = reading.probe or reading.query
            yield _row(escape(title), escape(name), f"{escape(shown(reading))} {self.notes.of(reading)}")

    def lesson(self) -> str:
        """What a person wrote down as learnt; "" while nobody did."""
        incident = self.incident
        text = f"{incident.lesson} ({incident.lesson_by})"
        return self._own(text, "lesson", "written", incident.opened_at) if incident.lesson else ""

    # facts with their sources

    def _own(self, text: str, field: str, value: object, at: datetime) -> str:
        """A fact that the desk itself keeps."""
        mark = self.notes.mark(source="desk", query=f"{self.incident.id} {field}", value=value, at=at)
        return f"{escape(text)} {mark}"

    def _entry(self, text: str, entry: EntryOut) -> str:
        return self._own(text, f"timeline, entry {entry.id}", entry.kind, entry.at)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.1f} s"
