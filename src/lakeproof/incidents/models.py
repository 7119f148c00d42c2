"""What the desk keeps: incidents, the alerts in them, their timeline, evidence. SQLAlchemy 2, any database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

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
    """One incident. `open_key` is its group while it is ongoing and NULL afterwards: so there is one per group."""

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
    # What was looked up when it opened: name → reading (value, source, query, at, error).
    moment: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    root_cause: Mapped[str] = mapped_column(Text, default="")
    rca: Mapped[str] = mapped_column(Text, default="")
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mitigating_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    alerts: Mapped[list["Alert"]] = relationship(order_by="Alert.id")
    entries: Mapped[list["Entry"]] = relationship(order_by="Entry.id")
    evidence: Mapped[list["Evidence"]] = relationship(order_by="Evidence.id")

    @property
    def promise(self) -> tuple[datetime, str]:
        """Until when somebody has promised to acknowledge it, and which team: its own or that of an alert in it,
        counted from the alert's coming, whichever ends first.
        """
        given = [(self.opened_at, self.team), *((one.received_at, one.team) for one in self.alerts)]
        return min((since + timedelta(seconds=acknowledge_seconds(team)), team) for since, team in given)

    @property
    def acknowledge_by(self) -> datetime:
        """Until when it is to be acknowledged."""
        return self.promise[0]


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

    @property
    def team(self) -> str:
        """Who gets it."""
        return self.labels.get("team", DEFAULT_TEAM)


class Entry(Base):
    """One line of a timeline: when, who, what, and the readings that its numbers come from."""

    __tablename__ = "entries"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(32))
    what: Mapped[str] = mapped_column(Text)
    readings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)


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
