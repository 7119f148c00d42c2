"""A notification of Alertmanager becomes alerts in incidents: opened, joined, updated, each at most once."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lakeproof.incidents.models import Alert, Incident
from lakeproof.incidents.shapes import ReadingShape, public_id
from lakeproof.incidents.status import Status
from lakeproof.incidents.timeline import ALERTMANAGER, add_entry
from lakeproof.incidents.webhook import SEVERITIES, AlertIn, AlertStatus, Notification
from lakeproof.observability.teams import DEFAULT_TEAM


@dataclass
class Received:
    """What a notification did, counted by alert; ids of the incidents concerned."""

    opened: int = 0
    joined: int = 0
    resolved: int = 0
    known: int = 0
    incidents: list[str] = field(default_factory=list)


def take_in(session: Session, notification: Notification, now: datetime) -> Received:
    """Put every alert of the notification into its incident, inside the caller's transaction.

    A repeated alert changes nothing. A late "firing" after its own "resolved" changes nothing either: Alertmanager
    sends again what it could not deliver, and a new firing has a new start.
    """
    received = Received()
    touched: dict[int, Incident] = {}
    for given in notification.alerts:
        known = session.scalar(
            select(Alert).where(Alert.fingerprint == given.fingerprint, Alert.starts_at == given.startsAt)
        )
        if known is None:
            incident = _incident_for(session, given, now, received)
            if incident is None:
                received.known += 1  # it ended before we heard of it, and nothing ongoing concerns it
                continue
            _add_alert(session, incident, given, now)
        elif known.status == AlertStatus.FIRING and given.status is AlertStatus.RESOLVED:
            incident = session.get_one(Incident, known.incident_id)
            known.status, known.ends_at = AlertStatus.RESOLVED.value, given.ended_at
            received.resolved += 1
            add_entry(incident, now, ALERTMANAGER, "alert", f"{given.name} cleared", _reading(given))
        else:
            received.known += 1
            continue
        touched[incident.id] = incident
    session.flush()
    for incident in touched.values():
        _close_if_clear(incident, now)
    received.incidents = [public_id(number) for number in sorted(touched)]
    return received


def _incident_for(session: Session, given: AlertIn, now: datetime, received: Received) -> Incident | None:
    incident = session.scalar(select(Incident).where(Incident.open_key == given.group))
    if incident is not None:
        received.joined += 1
        return incident
    if given.status is AlertStatus.RESOLVED:
        return None
    received.opened += 1
    incident = Incident(
        open_key=given.group,
        title=given.annotations.get("summary_en") or given.annotations.get("summary") or given.name,
        status=Status.OPEN.value,
        severity=given.severity,
        team=given.labels.get("team", DEFAULT_TEAM)[:64],
        scenario=given.scenario or "none",
        service=given.service,
        owner="",
        metric=given.annotations.get("metric", "")[:256],
        value=given.value,
        use_cases=[],
        root_cause="",
        rca="",
        opened_at=now,
    )
    session.add(incident)
    session.flush()
    add_entry(incident, now, ALERTMANAGER, "opened", f"opened by {given.name}", _reading(given))
    return incident


def _add_alert(session: Session, incident: Incident, given: AlertIn, now: datetime) -> None:
    first = not incident.alerts
    incident.alerts.append(
        Alert(
            fingerprint=given.fingerprint,
            starts_at=given.startsAt,
            ends_at=given.ended_at,
            status=given.status.value,
            name=given.name,
            labels=given.labels,
            annotations=given.annotations,
            generator_url=given.generatorURL,
            received_at=now,
        )
    )
    if SEVERITIES.index(given.severity) > SEVERITIES.index(incident.severity):
        incident.severity = given.severity
    if not first:
        add_entry(incident, now, ALERTMANAGER, "alert", f"{given.name} {given.status}", _reading(given))
    session.flush()


def _reading(given: AlertIn) -> list[ReadingShape]:
    return [
        ReadingShape(
            probe=given.annotations.get("metric", given.name)[:128],
            value=given.value,
            at=given.startsAt,
            source=ALERTMANAGER,
            query=given.expression or f"ALERTS{{alertname={given.name!r}}}",
            error=None if given.value is not None else "the rule gives no value",
        )
    ]


def _close_if_clear(incident: Incident, now: datetime) -> None:
    """Nobody took it on and its alerts are gone: it closes by itself. Once somebody did, they close it."""
    if any(alert.status == AlertStatus.FIRING for alert in incident.alerts):
        return
    if incident.status == Status.OPEN:
        incident.status, incident.resolved_at, incident.open_key = Status.RESOLVED.value, now, None
        add_entry(incident, now, ALERTMANAGER, "status", "resolved: all alerts cleared before anybody took it on")
    elif incident.resolved_at is None:
        add_entry(incident, now, ALERTMANAGER, "alert", "all alerts cleared; whoever owns it resolves it")
