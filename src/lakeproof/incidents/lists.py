"""Lists of incidents, and how many there are."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import selectinload

from lakeproof.incidents.memory import Memory, number_of
from lakeproof.incidents.models import Incident
from lakeproof.incidents.shapes import IncidentRow
from lakeproof.incidents.status import ONGOING, Status

# `acknowledge_by` reads an incident's alerts. This loads them for all incidents of a list by one query.
WITH_ALERTS = selectinload(Incident.alerts)
ALL_ONGOING = select(Incident).where(
    Incident.status.in_([one.value for one in ONGOING]), Incident.merged_into.is_(None)
)


class Lists(Memory):
    """Lists of incidents; none holds more than `most` of them."""

    def newest_first(self, status: Status | None = None, *, most: int = 200, before: str = "") -> list[IncidentRow]:
        """Incidents and their parts, newest first; with `before`, those that are older than that incident.

        Raises: NoSuchIncident where `before` is no id.
        """
        asked = _of(select(Incident), status).order_by(Incident.id.desc()).limit(most)
        return self._rows(asked.where(Incident.id < number_of(before)) if before else asked)

    def count(self, status: Status | None = None, *, before: str = "") -> int:
        """How many incidents `newest_first` would give without a limit."""
        asked = _of(select(func.count(Incident.id)), status)
        with self._read() as session:
            return session.execute(asked.where(Incident.id < number_of(before)) if before else asked).scalar_one()

    def unreviewed(self, *, most: int) -> list[IncidentRow]:
        """Incidents that are resolved and not reviewed yet, newest first, without parts: their whole is reviewed."""
        asked = _of(select(Incident), Status.RESOLVED).where(Incident.merged_into.is_(None))
        return self._rows(asked.order_by(Incident.id.desc()).limit(most))

    def ongoing(self, *, most: int = 500) -> list[IncidentRow]:
        """Incidents that somebody has to see to, oldest first. Parts are left out: people see to their whole."""
        return self._rows(ALL_ONGOING.order_by(Incident.id).limit(most))

    def overdue(self, *, most: int = 500) -> list[IncidentRow]:
        """Incidents that were escalated and that nobody has acknowledged since, oldest first."""
        asked = ALL_ONGOING.where(Incident.status == Status.OPEN.value, Incident.escalated_at.is_not(None))
        return self._rows(asked.order_by(Incident.id).limit(most))

    def count_by_status(self) -> dict[str, int]:
        """How many incidents are in each status. Parts are not counted: they are counted with their whole."""
        asked = select(Incident.status, func.count()).where(Incident.merged_into.is_(None))
        with self._read() as session:
            rows = session.execute(asked.group_by(Incident.status))
            return {status.value: 0 for status in Status} | {row[0]: row[1] for row in rows}

    def _rows(self, asked: Select[Incident]) -> list[IncidentRow]:
        with self._read() as session:
            found = session.scalars(asked.options(WITH_ALERTS))
            return [IncidentRow.model_validate(incident) for incident in found]


def _of[T](asked: Select[T], status: Status | None) -> Select[T]:
    return asked if status is None else asked.where(Incident.status == status.value)
