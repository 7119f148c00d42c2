"""What the desk keeps: incidents, the alerts in them, their timeline, evidence. SQLAlchemy 2, any database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Float, ForeignKey, Integer, String, Text, UniqueConstraint, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, object_session, relationship
from sqlalchemy.types import TypeDecorator

from lakeproof.incidents.checklist import Line, lines_of
from lakeproof.incidents.person import ALERTMANAGER
from lakeproof.incidents.status import STEPS, Status, Step
from lakeproof.observability.teams import DEFAULT_TEAM, acknowledge_seconds


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, kept without a zone, since SQLite has none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The tables of the desk."""


class Incident(Base):
    """One incident. `open_key` is its group while it is ongoing, else NULL: so a group has one at most."""

    __tablename__ = "incidents"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    open_key: Mapped[str | None] = mapped_column(String(512), unique=True)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16), index=True)
    severity: Mapped[str] = mapped_column(String(16))
    team: Mapped[str] = mapped_column(String(64))
    scenario: Mapped[str] = mapped_column(String(128))
    service: Mapped[str] = mapped_column(String(128))
    owner: Mapped[str] = mapped_column(String(128), default="")
    metric: Mapped[str] = mapped_column(String(256), default="")
    value: Mapped[float | None] = mapped_column(Float)
    use_cases: Mapped[list[str]] = mapped_column(JSON, default=list)
    # The stack's state, looked up when the incident opened: name → reading (value, source, query, at, error).
    moment: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    root_cause: Mapped[str] = mapped_column(Text, default="")
    rca: Mapped[str] = mapped_column(Text, default="")
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mitigating_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verifying_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lesson: Mapped[str] = mapped_column(Text, default="", server_default="")
    lesson_by: Mapped[str] = mapped_column(String(128), default="", server_default="")
    # The incident that this one is a part of, since a person merged it there.
    merged_into: Mapped[int | None] = mapped_column(Integer, index=True)
    # Its own severity, scenario and use cases, from before the first of its parts was merged into it.
    before_merge: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    alerts: Mapped[list["Alert"]] = relationship(order_by="Alert.id")
    entries: Mapped[list["Entry"]] = relationship(order_by="Entry.id")
    evidence: Mapped[list["Evidence"]] = relationship(order_by="Evidence.id")
    answers: Mapped[list["Answer"]] = relationship(order_by="Answer.id")
    ticket: Mapped["Ticket | None"] = relationship()

    @property
    def checklist(self) -> list[Line]:
        """Every item of the checklist, with what is known of it."""
        return lines_of(self.answers, closed=self.status == Status.REVIEWED)

    @property
    def step(self) -> Step | None:
        """The runbook's step that the incident is in; None once it was reviewed."""
        return STEPS.get(Status(self.status))

    @property
    def closed_by_itself(self) -> bool:
        """True where the incident ended with its alerts before anybody took it on, and nobody has owned it since."""
        moved_by = next((one.who for one in reversed(self.entries) if one.kind == "status"), "")
        return self.status == Status.RESOLVED and not self.owner and moved_by == ALERTMANAGER

    @property
    def status_before_its_end(self) -> Status:
        """The status in which the incident was resolved, told by which of its times are set."""
        times = (
            (self.verifying_at, Status.VERIFYING),
            (self.mitigating_at, Status.MITIGATING),
            (self.acknowledged_at, Status.ACKNOWLEDGED),
        )
        return next((status for at, status in times if at is not None), Status.OPEN)

    @property
    def parts(self) -> list[str]:
        """The ids of the incidents that were merged into this one."""
        session = object_session(self)
        asked = select(Incident.id).where(Incident.merged_into == self.id).order_by(Incident.id)
        return [f"INC-{number:06d}" for number in session.scalars(asked)] if session is not None else []

    @property
    def all_evidence(self) -> list["Evidence"]:
        """The documents that were attached to the incident or to a part of it, in the order of attaching."""
        session = object_session(self)
        if session is None:
            return self.evidence
        concerned = select(Incident.id).where((Incident.id == self.id) | (Incident.merged_into == self.id))
        asked = select(Evidence).where(Evidence.incident_id.in_(concerned)).order_by(Evidence.id)
        return list(session.scalars(asked))

    @property
    def promise(self) -> tuple[datetime, str]:
        """Until when the incident is to be acknowledged, and by which team. The time of its own team counts from its
        opening, that of an alert's team from when the alert came, and the earliest end is taken. An alert that a
        merge brought is left out.
        """
        came = [(one.received_at, one.team) for one in self.alerts if one.merged_at is None]
        given = [(self.opened_at, self.team), *came]
        return min((since + timedelta(seconds=acknowledge_seconds(team)), team) for since, team in given)

    @property
    def acknowledge_by(self) -> datetime:
        """Until when the incident is to be acknowledged."""
        return self.promise[0]

    @property
    def acknowledge_team(self) -> str:
        """The team whose time ends at `acknowledge_by`: not always the team whose incident it is."""
        return self.promise[1]


class Alert(Base):
    """One firing of one alert: Alertmanager's fingerprint and start name it."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("fingerprint", "starts_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(256))
    labels: Mapped[dict[str, str]] = mapped_column(JSON)
    annotations: Mapped[dict[str, str]] = mapped_column(JSON)
    generator_url: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(512), default="", server_default="")
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The incident that the alert came to, where that incident was merged into another one. The alert goes back there
    # when the two are parted.
    home_id: Mapped[int | None] = mapped_column(Integer)
    # When a merge moved the alert. None also for an alert of the part's group that came after the merge.
    merged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def team(self) -> str:
        """The team that gets the alert."""
        return self.labels.get("team", DEFAULT_TEAM)


class Entry(Base):
    """One line of a timeline: when, who, what, and the readings that its numbers come from.

    key: what the caller gave to identify its call (shapes.Key). The database has each key once.
    """

    __tablename__ = "entries"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(32))
    what: Mapped[str] = mapped_column(Text)
    readings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    key: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)


class Evidence(Base):
    """A JSON document that somebody attached, with the readings in it."""

    __tablename__ = "evidence"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[Any] = mapped_column(JSON)
    readings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)


class Answer(Base):
    """What is known of one item of an incident's checklist. `who` is the desk where a machine looked."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("incident_id", "item"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    item: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    who: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)


class Ticket(Base):
    """An incident's ticket in the ITSM.

    told: the id of the newest timeline line that the ITSM was told of. With a newer line the ticket is behind.
    asked_at: when the ITSM was asked for the ticket, kept before the call. With no `key` yet, it may exist or not.
    """

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), unique=True)
    key: Mapped[str] = mapped_column(String(256), default="")
    url: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default="")
    told: Mapped[int] = mapped_column(Integer, default=0)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(Text, default="")


class RunbookReview(Base):
    """Somebody read a page of the runbook and found it right, or put it right."""

    __tablename__ = "runbook_reviews"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    page: Mapped[str] = mapped_column(String(128), index=True)
    who: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)
