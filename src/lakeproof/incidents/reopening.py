"""An incident that closed by itself is opened again."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lakeproof.incidents.merging import parts_of
from lakeproof.incidents.models import Alert, Incident
from lakeproof.incidents.person import DESK
from lakeproof.incidents.reviews import reopen_checklist
from lakeproof.incidents.shapes import public_id
from lakeproof.incidents.timeline import add_entry
from lakeproof.incidents.webhook import AlertIn, AlertStatus


def open_again(session: Session, incident: Incident, now: datetime) -> list[Incident]:
    """Open an incident again that closed by itself, and its parts with it. Gives all of them.

    Each has the status again that it had before, and its time to be acknowledged counts from when it was first
    opened. Each has its group again, unless an incident that a person opened meanwhile has that group.
    """
    again = [incident, *parts_of(session, incident)]
    for one in again:
        home = None if one is incident else one.id
        groups = dict.fromkeys(group_of(alert) for alert in incident.alerts if alert.home_id == home)
        taken = set(session.scalars(select(Incident.open_key).where(Incident.open_key.in_(list(groups)))))
        one.open_key = next((group for group in groups if group not in taken), None)
        one.status, one.resolved_at = one.status_before_its_end.value, None
        reopen_checklist(one, now, "its alerts fire again")
        if one is not incident:
            add_entry(one, now, DESK, "status", f"open again with {public_id(incident.id)}")
        session.flush()
    return again


def group_of(alert: Alert) -> str:
    """The group that the alert came with (AlertIn.group)."""
    given = AlertIn(
        status=AlertStatus(alert.status),
        labels=alert.labels,
        startsAt=alert.starts_at,
        fingerprint=alert.fingerprint,
    )
    return given.group
