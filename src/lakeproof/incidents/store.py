"""Incidents kept: every change is one transaction, written to disk before the caller hears of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lakeproof.errors import InvalidInput
from lakeproof.incidents.intake import Received, close_if_clear, find_ended, take_in, take_up
from lakeproof.incidents.lists import ALL_ONGOING, WITH_ALERTS, Lists
from lakeproof.incidents.memory import find, find_to_change, is_repeated, kept, kept_with, lock, out
from lakeproof.incidents.merging import end_parts, merge, parts_of, refuse_part, unmerge, whole_of
from lakeproof.incidents.models import Alert, Evidence, Incident
from lakeproof.incidents.person import DESK
from lakeproof.incidents.reviews import Reviews, reopen_checklist
from lakeproof.incidents.shapes import (
    Act,
    EvidenceIn,
    IncidentIn,
    IncidentOut,
    IncidentRow,
    MergeIn,
    Note,
    Owner,
    ReadingShape,
    public_id,
    utc_now,
)
from lakeproof.incidents.status import ONGOING, Status, check_move
from lakeproof.incidents.timeline import add_entry
from lakeproof.incidents.webhook import NONE, AlertStatus, Notification
from lakeproof.observability.teams import acknowledge_seconds

_WHEN = {
    Status.ACKNOWLEDGED: "acknowledged_at",
    Status.MITIGATING: "mitigating_at",
    Status.VERIFYING: "verifying_at",
    Status.RESOLVED: "resolved_at",
    Status.REVIEWED: "reviewed_at",
}


@dataclass(frozen=True)
class FiringAlert:
    """An alert that fires as far as the desk has heard. `source`: its Alertmanager's URL."""

    id: int
    fingerprint: str
    source: str


# An incident's id, what was looked up for it, and the use cases that it concerns.
type Moment = tuple[str, Mapping[str, ReadingShape], Iterable[str]]

# A round looks up the moments of at most this many incidents, the newest. So those that open meanwhile come first in
# the next round.
MOST_LOOKS = 20


class Store(Lists, Reviews):
    """The incidents of one desk.

    now: gives the time, aware.
    rejoin: how long after its last alert cleared an incident takes in new alerts of its group, where it is still
    ongoing or closed by itself.
    """

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime] = utc_now,
        *,
        rejoin: Callable[[], timedelta] = lambda: timedelta(minutes=10),
    ) -> None:
        super().__init__(engine, now)
        self._rejoin = rejoin

    def receive(self, notification: Notification) -> Received:
        """Take in a webhook. Two that race for one group or one alert end as if they had come one after the other."""
        return self._write_twice(lambda session: take_in(session, notification, self._now(), self._rejoin()))

    def _write_twice[T](self, write: Callable[[Session], T]) -> T:
        try:
            with self._write() as session:
                return write(session)
        except IntegrityError:  # another writer was first (not on SQLite, where writers queue up), and is seen now
            with self._write() as session:
                return write(session)

    def open(self, given: IncidentIn) -> IncidentOut:
        """Open an incident that a person reports; alerts of its scenario join it. One key opens one incident.

        Raises: InvalidInput where an incident of its scenario is ongoing.
        """
        now = self._now()

        def write(session: Session) -> IncidentOut:
            if (known := kept_with(session, given.key)) is not None:
                return out(known)
            group = f"scenario:{given.scenario}" if given.scenario not in ("", "none") else None
            if group is not None:
                ongoing = session.scalar(select(Incident.id).where(Incident.open_key == group))
                if ongoing is not None:
                    raise InvalidInput(
                        f"{public_id(ongoing)} is already ongoing for {given.scenario}",
                        where="open",
                        next_action=f"add a note to {public_id(ongoing)}",
                    )
            incident = Incident(
                open_key=group,
                status=Status.OPEN.value,
                owner="",
                use_cases=[],
                root_cause="",
                rca="",
                opened_at=now,
                **given.model_dump(exclude={"who", "key"}),
            )
            session.add(incident)
            session.flush()
            add_entry(incident, now, given.who, "opened", f"opened by hand: {given.title}", key=given.key)
            return kept(session, incident)

        return self._write_twice(write)

    def get(self, name: str) -> IncidentOut:
        """One incident. Raises: NoSuchIncident."""
        with self._read() as session:
            return out(find(session, name))

    def move(self, name: str, status: Status, act: Act) -> IncidentOut:
        """Change an incident's status. Whoever does so first owns the incident.

        A move that is repeated with its key, or with the same text by the same person, changes nothing; another text
        is a note.
        Raises: NoSuchIncident; InvalidInput for a move that the transition table does not have, for one that the
        step's guard refuses, and for a part of another incident.
        """
        now = self._now()
        with self._write() as session:
            incident = find(session, name)
            lock(session, incident, *parts_of(session, incident))
            if is_repeated(session, incident, act.key):
                return out(incident)
            text = f"{status.value}: {act.text}" if act.text else status.value
            check_move(Status(incident.status), status, where=public_id(incident.id))
            if incident.status != status.value:
                refuse_part(incident)
                _check_guards(incident, status, act)
                incident.status = status.value
                setattr(incident, _WHEN[status], now)
                incident.owner = incident.owner or act.who
                if status in ONGOING:
                    incident.acknowledged_at = incident.acknowledged_at or now
                else:
                    incident.open_key = None
                    end_parts(incident, status, now, act.who)
                add_entry(incident, now, act.who, "status", text, act.readings, act.key)
                if status is Status.MITIGATING:
                    incident.verifying_at = None
                    reopen_checklist(incident, now)
            elif act.text and (act.who, text) != _last_move(incident):
                add_entry(incident, now, act.who, "note", act.text, act.readings, act.key)
            return kept(session, incident)

    def give(self, name: str, given: Owner) -> IncidentOut:
        """Give the incident to another owner. Raises: NoSuchIncident."""
        with self._write() as session:
            incident = find_to_change(session, name)
            if incident.owner != given.owner:
                before, incident.owner = incident.owner or "nobody", given.owner
                why = f": {given.text}" if given.text else ""
                add_entry(incident, self._now(), given.who, "owner", f"owner was {before}, is {given.owner}{why}")
            return kept(session, incident)

    def merge(self, name: str, given: MergeIn) -> IncidentOut:
        """Make an incident a part of another one; gives that other one. Raises: NoSuchIncident, InvalidInput."""
        with self._write() as session:
            part, whole = find(session, name), find(session, given.into)
            lock(session, part, whole)
            merge(session, part, whole, given, self._now())
            return kept(session, whole)

    def unmerge(self, name: str, act: Act) -> IncidentOut:
        """Make a part an incident of its own again; gives the part. Raises: NoSuchIncident, InvalidInput."""
        now = self._now()
        with self._write() as session:
            part = find(session, name)
            whole = whole_of(session, part)
            lock(session, part, whole)
            unmerge(session, part, act, now)
            for one in (whole, part):
                if one.alerts:
                    close_if_clear(one, now)
            return kept(session, part)

    def note(self, name: str, note: Note) -> IncidentOut:
        """Add a line to the timeline, once for each key. Raises: NoSuchIncident, InvalidInput."""
        with self._write() as session:
            incident = find_to_change(session, name)
            if not is_repeated(session, incident, note.key):
                add_entry(incident, self._now(), note.who, note.kind, note.text, note.readings, note.key)
            return kept(session, incident)

    def attach(self, name: str, given: EvidenceIn) -> IncidentOut:
        """Attach a document, with a line in the timeline, once for each key. Raises: NoSuchIncident, InvalidInput."""
        now = self._now()
        with self._write() as session:
            incident = find_to_change(session, name)
            if is_repeated(session, incident, given.key):
                return out(incident)
            readings = [one.model_dump(mode="json") for one in given.readings]
            incident.evidence.append(
                Evidence(
                    at=now, who=given.who, kind=given.kind, title=given.title, body=given.body, readings=readings
                )
            )
            add_entry(incident, now, given.who, given.kind, given.text or given.title, given.readings, given.key)
            return kept(session, incident)

    def keep_rca(self, name: str, markdown: str, *, who: str, root_cause: str = "") -> IncidentOut:
        """Keep the text of the RCA. Raises: NoSuchIncident."""
        with self._write() as session:
            incident = find_to_change(session, name)
            incident.rca = markdown
            incident.root_cause = root_cause or incident.root_cause
            add_entry(incident, self._now(), who, "rca", "RCA written")
            return kept(session, incident)

    def without_moment(self) -> list[str]:
        """Ids of incidents whose moment was not looked up yet, newest first (also those from before a restart)."""
        asked = select(Incident.id).where(Incident.moment.is_(None)).order_by(Incident.id.desc()).limit(MOST_LOOKS)
        with self._read() as session:
            return [public_id(number) for number in session.scalars(asked)]

    def without_use_cases(self) -> list[IncidentRow]:
        """Ongoing incidents that an alert of a scenario joined only after their moment was looked up."""
        asked = ALL_ONGOING.where(Incident.moment.is_not(None), Incident.scenario != NONE)
        with self._read() as session:
            found = session.scalars(asked.options(WITH_ALERTS))
            return [IncidentRow.model_validate(incident) for incident in found if not incident.use_cases]

    def keep_use_cases(self, name: str, use_cases: Iterable[str]) -> None:
        """Keep the use cases that the incident's scenario concerns. Raises: NoSuchIncident."""
        with self._write() as session:
            find_to_change(session, name).use_cases = list(use_cases)

    def keep_moments(self, found: Sequence[Moment]) -> None:
        """Keep what was looked up for these incidents, in one transaction. Where the violating value was found, it
        replaces the value from the alert.
        """
        if not found:
            return
        with self._write() as session:
            for name, moment, use_cases in found:
                incident = find_to_change(session, name)
                incident.moment = {key: reading.model_dump(mode="json") for key, reading in moment.items()}
                incident.use_cases = list(use_cases)
                violation = moment.get("violation")
                if violation is not None and isinstance(violation.value, int | float):
                    incident.value = float(violation.value)
                unknown = [f"{key}: {reading.error}" for key, reading in moment.items() if reading.error]
                what = "looked up the state at this time"
                if unknown:
                    what += "; could not look: " + "; ".join(unknown)
                add_entry(incident, self._now(), DESK, "moment", what, moment.values())

    def firing(self) -> list[FiringAlert]:
        """Every alert that fires as far as the desk has heard."""
        asked = select(Alert).where(Alert.status == AlertStatus.FIRING.value).order_by(Alert.id)
        with self._read() as session:
            return [FiringAlert(one.id, one.fingerprint, one.source) for one in session.scalars(asked)]

    def forget(self, alerts: Iterable[FiringAlert]) -> None:
        """End these alerts: Alertmanager does not know them any more, and never reported their end."""
        now = self._now()
        for given in alerts:
            with self._write() as session:
                alert = session.get_one(Alert, given.id)
                incident = session.get_one(Incident, alert.incident_id, with_for_update=True)
                session.refresh(alert, with_for_update=True)
                if alert.status != AlertStatus.FIRING or alert.incident_id != incident.id:
                    continue
                alert.status, alert.ends_at = AlertStatus.RESOLVED.value, now
                text = f"{alert.name} counts as cleared: Alertmanager does not know it any more"
                add_entry(incident, now, DESK, "alert", text)
                close_if_clear(incident, now)

    def take_up_again(self, source: str, starts: Mapping[str, datetime], *, ended_before: datetime) -> None:
        """Take the alerts for firing again that fire by Alertmanager's list, but that the desk took for ended. Each
        gets one further firing.

        `starts`: fingerprint → start, by Alertmanager's list. An alert that ended later than `ended_before` is left
        out: it may have cleared while Alertmanager was asked. One with a later start than the desk knows is left to
        the webhook that tells of that start.
        """
        with self._read() as session:
            if not find_ended(session, source, starts, ended_before):
                return

        def write(session: Session) -> None:
            ended = find_ended(session, source, starts, ended_before)
            take_up(session, source, ended, self._now(), self._rejoin())

        self._write_twice(write)

    def escalate_due(self) -> list[IncidentOut]:
        """Escalate every incident that nobody acknowledged in time, each once. Gives the escalated ones."""
        now = self._now()
        with self._read() as session:
            unacknowledged = select(Incident).where(
                Incident.status == Status.OPEN.value,
                Incident.escalated_at.is_(None),
                Incident.merged_into.is_(None),
            )
            asked = unacknowledged.options(WITH_ALERTS)
            due = [one.id for one in session.scalars(asked) if now >= one.acknowledge_by]
        found = []
        for number in due:
            with self._write() as session:
                incident = session.get_one(Incident, number, with_for_update=True)
                if incident.escalated_at is None and incident.status == Status.OPEN:
                    incident.escalated_at = now
                    team = incident.acknowledge_team
                    minutes = acknowledge_seconds(team) / 60
                    text = f"escalated: {team} had not acknowledged it within {minutes:g} minutes"
                    add_entry(incident, now, DESK, "escalated", text)
                    found.append(kept(session, incident))
        return found

    def incident_of(self, fingerprint: str) -> str | None:
        """The id of the newest incident with an alert of that fingerprint; None where no alert has it."""
        newest = select(Alert.incident_id).where(Alert.fingerprint == fingerprint).order_by(Alert.id.desc()).limit(1)
        with self._read() as session:
            number = session.scalar(newest)
        return None if number is None else public_id(number)

    def check(self) -> None:
        """Ask the database something. Raises: SQLAlchemy's errors."""
        with self._read() as session:
            session.execute(select(func.count(Incident.id))).scalar_one()


def _last_move(incident: Incident) -> tuple[str, str] | None:
    """Who made the last change of status, and the timeline's line on it; None where there was no change."""
    moves = ((one.who, one.what) for one in reversed(incident.entries) if one.kind == "status")
    return next(moves, None)


def _check_guards(incident: Incident, after: Status, act: Act) -> None:
    """What has to be true before an incident leaves a step of the runbook. Raises: InvalidInput."""
    where = public_id(incident.id)
    if after in (Status.VERIFYING, Status.RESOLVED):
        firing = sorted({one.name for one in incident.alerts if one.status == AlertStatus.FIRING})
        if firing and not act.text.strip():
            raise InvalidInput(
                f"{', '.join(firing)} still fires",
                where=where,
                next_action="wait for it to clear, or say in `text` why",
            )
    if after is Status.REVIEWED:
        if not incident.lesson:
            raise InvalidInput(
                "it has no lesson learned yet", where=where, next_action=f'lakeproof incident lesson {where} "…"'
            )
        if unanswered := [line.item for line in incident.checklist if not line.answered]:
            raise InvalidInput(
                f"its checklist is not answered: {', '.join(unanswered)}",
                where=where,
                next_action=f"lakeproof incident check {where} ITEM (or --waive with a reason)",
            )
