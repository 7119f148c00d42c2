"""Incidents kept: every change is one transaction, written to disk before the caller hears of it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from lakeproof.errors import InvalidInput
from lakeproof.incidents.intake import NONE, Received, close_if_clear, take_in
from lakeproof.incidents.models import Alert, Evidence, Incident
from lakeproof.incidents.shapes import (
    Act,
    EvidenceIn,
    IncidentIn,
    IncidentOut,
    IncidentRow,
    Note,
    ReadingShape,
    public_id,
    utc_now,
)
from lakeproof.incidents.status import ONGOING, Status, check_move
from lakeproof.incidents.timeline import DESK, add_entry
from lakeproof.incidents.webhook import AlertStatus, Notification
from lakeproof.observability.teams import acknowledge_seconds

_WHEN = {
    Status.ACKNOWLEDGED: "acknowledged_at",
    Status.MITIGATING: "mitigating_at",
    Status.RESOLVED: "resolved_at",
    Status.REVIEWED: "reviewed_at",
}
# `acknowledge_by` asks for them: one question for all incidents of a list.
_WITH_ALERTS = selectinload(Incident.alerts)
_ID = re.compile(r"(?:INC-)?0*(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class FiringAlert:
    """An alert that fires as far as the desk has heard. `source`: its Alertmanager's URL."""

    id: int
    fingerprint: str
    source: str
    received_at: datetime


# A round of lookups ends after so many, so that what opened meanwhile comes first in the next one.
MOST_LOOKS = 20


class NoSuchIncident(InvalidInput):
    """There is no incident of that id."""

    def __init__(self, name: str) -> None:
        super().__init__("no such incident", where=name, next_action="lakeproof incident list")


class Store:
    """The desk's memory. `now` gives the time, aware; `rejoin`: how long after its last alert cleared an incident
    that is still ongoing takes in new alerts of its group."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime] = utc_now,
        *,
        rejoin: Callable[[], timedelta] = lambda: timedelta(minutes=10),
    ) -> None:
        self._engine = engine
        self._now = now
        self._rejoin = rejoin

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with self._engine.connect().execution_options(read_only=True) as connection, Session(connection) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    def receive(self, notification: Notification) -> Received:
        """Take in a webhook. Two that race for one group or one alert end as if they had come one after the other."""
        try:
            with self._write() as session:
                return take_in(session, notification, self._now(), self._rejoin())
        except IntegrityError:  # another writer was first (not on SQLite, where writers queue up): now it is seen
            with self._write() as session:
                return take_in(session, notification, self._now(), self._rejoin())

    def open(self, given: IncidentIn) -> IncidentOut:
        """An incident that a person reports; alerts of its scenario join it."""
        now = self._now()
        with self._write() as session:
            key = f"scenario:{given.scenario}" if given.scenario not in ("", "none") else None
            if key is not None:
                ongoing = session.scalar(select(Incident.id).where(Incident.open_key == key))
                if ongoing is not None:
                    raise InvalidInput(
                        f"{public_id(ongoing)} is already ongoing for {given.scenario}",
                        where="open",
                        next_action=f"add a note to {public_id(ongoing)}",
                    )
            incident = Incident(
                open_key=key,
                status=Status.OPEN.value,
                owner="",
                use_cases=[],
                root_cause="",
                rca="",
                opened_at=now,
                **given.model_dump(exclude={"who"}),
            )
            session.add(incident)
            session.flush()
            add_entry(incident, now, given.who, "opened", f"opened by hand: {given.title}")
            session.flush()
            return _out(incident)

    def newest_first(self, status: Status | None = None, *, most: int = 200) -> list[IncidentRow]:
        """Incidents, newest first."""
        asked = select(Incident).options(_WITH_ALERTS).order_by(Incident.id.desc()).limit(most)
        if status is not None:
            asked = asked.where(Incident.status == status.value)
        with self._read() as session:
            return [IncidentRow.model_validate(incident) for incident in session.scalars(asked)]

    def get(self, name: str) -> IncidentOut:
        """One incident. Raises: NoSuchIncident."""
        with self._read() as session:
            return _out(_find(session, name))

    def move(self, name: str, status: Status, act: Act) -> IncidentOut:
        """Change its status; the first who takes it on owns it. Repeating a move changes nothing.

        Raises: NoSuchIncident, InvalidInput for a move that the transition table does not have.
        """
        now = self._now()
        with self._write() as session:
            incident = _find(session, name)
            check_move(Status(incident.status), status, where=public_id(incident.id))
            if incident.status != status.value:
                incident.status = status.value
                setattr(incident, _WHEN[status], now)
                if status in (Status.ACKNOWLEDGED, Status.MITIGATING):
                    incident.owner = incident.owner or act.who
                    incident.acknowledged_at = incident.acknowledged_at or now
                if status not in ONGOING:
                    incident.open_key = None
                text = f"{status.value}: {act.text}" if act.text else status.value
                add_entry(incident, now, act.who, "status", text, act.readings)
            elif act.text:
                add_entry(incident, now, act.who, "note", act.text, act.readings)
            session.flush()
            return _out(incident)

    def note(self, name: str, note: Note) -> IncidentOut:
        """Add a line to the timeline. Raises: NoSuchIncident."""
        with self._write() as session:
            incident = _find(session, name)
            add_entry(incident, self._now(), note.who, note.kind, note.text, note.readings)
            session.flush()
            return _out(incident)

    def attach(self, name: str, given: EvidenceIn) -> IncidentOut:
        """Attach a document, with a line in the timeline. Raises: NoSuchIncident."""
        now = self._now()
        with self._write() as session:
            incident = _find(session, name)
            readings = [one.model_dump(mode="json") for one in given.readings]
            incident.evidence.append(
                Evidence(
                    at=now, who=given.who, kind=given.kind, title=given.title, body=given.body, readings=readings
                )
            )
            add_entry(incident, now, given.who, given.kind, given.text or given.title, given.readings)
            session.flush()
            return _out(incident)

    def keep_rca(self, name: str, markdown: str, *, who: str, root_cause: str = "") -> IncidentOut:
        """Keep the text of the RCA. Raises: NoSuchIncident."""
        with self._write() as session:
            incident = _find(session, name)
            incident.rca = markdown
            incident.root_cause = root_cause or incident.root_cause
            add_entry(incident, self._now(), who, "rca", "RCA written")
            session.flush()
            return _out(incident)

    def without_moment(self) -> list[str]:
        """Ids of incidents whose moment was not looked up yet, newest first (also those from before a restart)."""
        asked = select(Incident.id).where(Incident.moment.is_(None)).order_by(Incident.id.desc()).limit(MOST_LOOKS)
        with self._read() as session:
            return [public_id(number) for number in session.scalars(asked)]

    def without_use_cases(self) -> list[IncidentRow]:
        """Ongoing incidents that an alert of a scenario joined only after their moment was looked up."""
        asked = select(Incident).where(
            Incident.open_key.is_not(None), Incident.moment.is_not(None), Incident.scenario != NONE
        )
        with self._read() as session:
            found = session.scalars(asked.options(_WITH_ALERTS))
            return [IncidentRow.model_validate(incident) for incident in found if not incident.use_cases]

    def keep_use_cases(self, name: str, use_cases: Iterable[str]) -> None:
        """Those that its scenario concerns. Raises: NoSuchIncident."""
        with self._write() as session:
            _find(session, name).use_cases = list(use_cases)

    def keep_moment(self, name: str, moment: Mapping[str, ReadingShape], use_cases: Iterable[str]) -> None:
        """What was looked up for it; the violating value replaces the one from the alert when it had an answer."""
        with self._write() as session:
            incident = _find(session, name)
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
            return [
                FiringAlert(one.id, one.fingerprint, one.source, one.received_at) for one in session.scalars(asked)
            ]

    def forget(self, alerts: Iterable[FiringAlert]) -> None:
        """These ended without a word: Alertmanager does not know them any more."""
        now = self._now()
        for given in alerts:
            with self._write() as session:
                alert = session.get_one(Alert, given.id)
                if alert.status != AlertStatus.FIRING:
                    continue
                incident = session.get_one(Incident, alert.incident_id)
                alert.status, alert.ends_at = AlertStatus.RESOLVED.value, now
                text = f"{alert.name} counts as cleared: Alertmanager does not know it any more"
                add_entry(incident, now, DESK, "alert", text)
                close_if_clear(incident, now)

    def escalate_due(self) -> list[IncidentOut]:
        """Mark every incident that nobody acknowledged in its team's time, each once. Gives those."""
        now = self._now()
        with self._read() as session:
            unacknowledged = select(Incident).where(
                Incident.status == Status.OPEN.value, Incident.escalated_at.is_(None)
            )
            asked = unacknowledged.options(_WITH_ALERTS)
            due = [one.id for one in session.scalars(asked) if now >= one.acknowledge_by]
        found = []
        for number in due:
            with self._write() as session:
                incident = session.get_one(Incident, number)
                if incident.escalated_at is None and incident.status == Status.OPEN:
                    incident.escalated_at = now
                    team = incident.promise[1]
                    minutes = acknowledge_seconds(team) / 60
                    text = f"escalated: {team} had not acknowledged it within {minutes:g} minutes"
                    add_entry(incident, now, DESK, "escalated", text)
                    session.flush()
                    found.append(_out(incident))
        return found

    def incident_of(self, fingerprint: str) -> str | None:
        """The id of the newest incident with an alert of that fingerprint; None where no alert has it."""
        newest = select(Alert.incident_id).where(Alert.fingerprint == fingerprint).order_by(Alert.id.desc()).limit(1)
        with self._read() as session:
            number = session.scalar(newest)
        return None if number is None else public_id(number)

    def count_by_status(self) -> dict[str, int]:
        """How many incidents are in each status."""
        with self._read() as session:
            rows = session.execute(select(Incident.status, func.count()).group_by(Incident.status))
            return {status.value: 0 for status in Status} | {row[0]: row[1] for row in rows}

    def check(self) -> None:
        """Ask the database something. Raises: SQLAlchemy's errors."""
        with self._read() as session:
            session.execute(select(func.count(Incident.id))).scalar_one()


def _find(session: Session, name: str) -> Incident:
    match = _ID.fullmatch(name)
    incident = session.get(Incident, int(match[1])) if match else None
    if incident is None:
        raise NoSuchIncident(name)
    return incident


def _out(incident: Incident) -> IncidentOut:
    return IncidentOut.model_validate(incident)
