"""A notification of Alertmanager becomes alerts in incidents: opened, joined, updated, each at most once."""

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from lakeproof.incidents.kinship import STANDS_ON, Told, akin
from lakeproof.incidents.merging import end_parts, whole_of
from lakeproof.incidents.models import Alert, Incident
from lakeproof.incidents.person import ALERTMANAGER, DESK
from lakeproof.incidents.reopening import group_of, open_again
from lakeproof.incidents.reviews import reopen_checklist
from lakeproof.incidents.shapes import ReadingShape, public_id
from lakeproof.incidents.status import ONGOING, Status
from lakeproof.incidents.timeline import add_entry
from lakeproof.incidents.webhook import NO_SCENARIO, NONE, SEVERITIES, AlertIn, AlertStatus, Notification
from lakeproof.observability.teams import DEFAULT_TEAM

# At most this many values in one query. SQLite's own limit is higher, other databases' limits are not known.
CHUNK = 500
# An alert is compared with at most this many ongoing incidents, the newest, to find one of the same trouble. In a
# storm the older ones are left out.
MOST_AKIN = 100


@dataclass
class Received:
    """What a notification did, counted in alerts; `known` ones changed nothing. incidents: ids of those changed."""

    opened: int = 0
    joined: int = 0
    resolved: int = 0
    known: int = 0
    incidents: list[str] = field(default_factory=list)


def take_in(session: Session, notification: Notification, now: datetime, rejoin: timedelta) -> Received:
    """Put every alert of the notification into its incident, inside the caller's transaction.

    A repeated alert changes nothing. A late "firing" after its own "resolved" changes nothing either: Alertmanager
    sends again what it could not deliver. A new firing has a new start. The exception is an alert that Alertmanager
    let expire while Prometheus hung: `take_up` takes it in once Alertmanager's list tells that it fires. Where the
    desk first hears of a firing by its end, and no ongoing incident has its group, nothing is kept. A late "firing"
    then opens an incident, and the desk ends the alert as every one that Alertmanager does not know any more.

    A firing alert goes to the first of these that there is:
    1. the ongoing incident of its group, unless all alerts there cleared longer than `rejoin` ago: then somebody
       forgot to close that incident, and the alert belongs to another one;
    2. the oldest ongoing incident with an alert that fires, or cleared within `rejoin`, and may tell of the same
       trouble (kinship.py): one cause makes one incident;
    3. the newest incident that closed by itself within `rejoin` and would have taken it in; it is opened again;
    4. a new incident.
    """
    return _Intake(session, notification, now, rejoin).run()


def find_ended(session: Session, source: str, starts: Mapping[str, datetime], ended_before: datetime) -> list[Alert]:
    """The newest firing of each fingerprint, where it ended by `ended_before` and began no earlier than its start."""
    found: list[Alert] = []
    for part in batched(sorted(starts), CHUNK):
        newest = select(func.max(Alert.id)).where(Alert.fingerprint.in_(part)).group_by(Alert.fingerprint)
        ended = select(Alert).where(Alert.id.in_(newest), Alert.source == source, Alert.ends_at <= ended_before)
        found += [one for one in session.scalars(ended) if starts[one.fingerprint] <= one.starts_at]
    return found


def take_up(session: Session, source: str, ended: Sequence[Alert], now: datetime, rejoin: timedelta) -> None:
    """Take in one further firing of each alert in `ended`: the desk took them for ended, but they fire on.

    The further firing begins when the former one was taken for ended. So two desks that find the same alert write the
    same fingerprint and start, of which the database keeps one. The alerts never ceased to fire: where their incident
    is still ongoing, or closed by itself, they belong there, however long ago that end was.
    """
    since_then = max((rejoin, *(now - one.ends_at for one in ended if one.ends_at is not None)))
    alerts = [
        AlertIn(
            status=AlertStatus.FIRING,
            labels=one.labels,
            annotations=one.annotations,
            startsAt=one.ends_at or now,
            generatorURL=one.generator_url,
            fingerprint=one.fingerprint,
        )
        for one in ended
    ]
    notification = Notification(version="4", status=AlertStatus.FIRING, externalURL=source, alerts=alerts)
    intake = _Intake(session, notification, now, rejoin, rejoin_own=since_then)
    intake.run()
    for incident in intake.changed():
        what = "it still fires: it was taken for ended, and Alertmanager has it with the start of before"
        add_entry(incident, now, DESK, "alert", what)


class _Intake:
    def __init__(
        self,
        session: Session,
        notification: Notification,
        now: datetime,
        rejoin: timedelta,
        *,
        rejoin_own: timedelta | None = None,
    ) -> None:
        """`rejoin_own` takes the place of `rejoin` for the incident of the alert's own group."""
        self._session = session
        self._given = notification.alerts
        self._source = notification.externalURL.rstrip("/")
        self._now = now
        self._rejoin = rejoin
        self._rejoin_own = rejoin_own or rejoin
        self._received = Received()
        self._touched: list[Incident] = []
        self._known: dict[tuple[str, datetime], Alert] = {}
        self._firing: dict[str, Alert] = {}
        self._ongoing: dict[str, Incident] = {}
        self._newest: list[Incident] = []
        self._closed: list[tuple[Incident, frozenset[str]]] = []

    def run(self) -> Received:
        self._read()
        for given in self._given:
            incident = self._take(given)
            if incident is not None and incident not in self._touched[-1:]:
                self._touched.append(incident)
        self._session.flush()
        for incident in self.changed():
            close_if_clear(incident, self._now)
        self._received.incidents = sorted({public_id(one.id) for one in self._touched})
        return self._received

    def changed(self) -> ValuesView[Incident]:
        """The incidents that an alert opened, joined, or ended in."""
        return {id(one): one for one in self._touched}.values()

    def _read(self) -> None:
        """Read what the database knows of these alerts, in a few queries for all instead of some for each.

        Where writers do not queue up (PostgreSQL), the incidents are locked before anything is read from them: else
        an alert could join an incident that somebody resolves meanwhile.
        """
        fingerprints = list(batched(sorted({given.fingerprint for given in self._given}), CHUNK))
        groups = {given.group for given in self._given}
        # An incident that a person opened may have alerts, from a merge, and no group. A part has a group and no
        # alerts; it is locked as well, because it ends with its whole.
        newest = select(Incident.id).where(
            Incident.status.in_([one.value for one in ONGOING]),
            Incident.open_key.is_not(None) | Incident.alerts.any(),
        )
        akin_ids = set(self._session.scalars(newest.order_by(Incident.id.desc()).limit(MOST_AKIN)))
        closed = select(Incident.id).where(
            Incident.status == Status.RESOLVED.value,
            Incident.resolved_at >= self._now - max(self._rejoin, self._rejoin_own),
            Incident.owner == "",
            Incident.merged_into.is_(None),
        )
        fires = any(given.status is AlertStatus.FIRING for given in self._given)
        akin_ids.update(self._session.scalars(closed.order_by(Incident.id.desc()).limit(MOST_AKIN)) if fires else ())
        wanted = set(akin_ids)
        for part in batched(sorted(groups), CHUNK):
            ids = select(Incident.id, Incident.merged_into).where(Incident.open_key.in_(part))
            wanted.update(number for row in self._session.execute(ids) for number in row if number is not None)
        for part in fingerprints:
            firing = select(Alert.incident_id).where(Alert.fingerprint.in_(part))
            wanted.update(self._session.scalars(firing.where(Alert.status == AlertStatus.FIRING.value)))
        for incident in self._lock(wanted):
            if incident.open_key in groups:
                self._ongoing[incident.open_key or ""] = incident
            if incident.id in akin_ids and incident.status in ONGOING and incident.merged_into is None:
                self._newest.append(incident)
            elif incident.status == Status.RESOLVED and incident.alerts:
                self._closed.insert(0, (incident, frozenset(map(group_of, incident.alerts))))
        for part in fingerprints:
            for alert in self._session.scalars(select(Alert).where(Alert.fingerprint.in_(part))):
                self._known[alert.fingerprint, alert.starts_at] = alert
                if alert.status == AlertStatus.FIRING:
                    self._firing[alert.fingerprint] = alert

    def _lock(self, ids: set[int]) -> Iterator[Incident]:
        """Lock the incidents by ascending id, as every writer does (memory.lock), so that no two deadlock."""
        asked = select(Incident).options(selectinload(Incident.alerts)).order_by(Incident.id).with_for_update()
        for part in batched(sorted(ids), CHUNK):
            yield from self._session.scalars(asked.where(Incident.id.in_(part)))

    def _take(self, given: AlertIn) -> Incident | None:
        """The incident that the alert changed; None where it changed nothing."""
        known = self._find_known(given)
        if known is not None:
            if known.status != AlertStatus.FIRING or given.status is AlertStatus.FIRING:
                self._received.known += 1
                return None
            incident = self._session.get_one(Incident, known.incident_id) if known.incident_id else None
            if incident is None:  # its firing came in this same notification
                incident = self._ongoing[given.group]
            known.status, known.ends_at = AlertStatus.RESOLVED.value, given.ended_at or self._now
            self._received.resolved += 1
            add_entry(incident, self._now, ALERTMANAGER, "alert", f"{given.name} cleared", _reading(given))
            return incident
        incident = self._find_ongoing(given)
        if incident is not None:
            self._received.joined += 1
            if incident.status == Status.VERIFYING and given.status is AlertStatus.FIRING:
                incident.status, incident.verifying_at = Status.MITIGATING.value, None
                incident.mitigating_at = self._now
                add_entry(incident, self._now, DESK, "status", "mitigating again: the repair did not hold")
                reopen_checklist(incident, self._now)
            add_entry(incident, self._now, ALERTMANAGER, "alert", _joined(incident, given), _reading(given))
        elif given.status is AlertStatus.RESOLVED:
            self._received.known += 1  # it ended before we heard of it, and nothing ongoing concerns it
            return None
        else:
            incident = self._open(given)
        home = self._ongoing.get(given.group, incident)
        self._add_alert(incident, given, None if home is incident else home.id)
        return incident

    def _find_known(self, given: AlertIn) -> Alert | None:
        """The firing that the alert tells of. One that was taken up again ends under the start of the former one."""
        known = self._known.get((given.fingerprint, given.startsAt))
        if known is None or known.status == AlertStatus.FIRING or given.ended_at is None:
            return known
        again = self._firing.get(given.fingerprint)
        return again if again is not None and again.starts_at < given.ended_at else known

    def _find_ongoing(self, given: AlertIn) -> Incident | None:
        incident = self._ongoing.get(given.group)
        if incident is not None:
            whole = whole_of(self._session, incident)
            ends = [alert.ends_at for alert in whole.alerts]
            if not ends or None in ends or self._now - max(end for end in ends if end) <= self._rejoin_own:
                return whole
            add_entry(incident, self._now, DESK, "alert", f"{given.name} fires anew: it belongs to another incident")
            incident.open_key = None
            self._session.flush()
        return self._find_akin(given) or self._find_closed(given)

    def _find_akin(self, given: AlertIn) -> Incident | None:
        """The oldest incident whose alerts fire, or fired until lately, for what may be the same trouble."""
        if given.status is AlertStatus.RESOLVED:
            return None
        incident = next((one for one in self._newest if self._is_akin(given, one)), None)
        return None if incident is None else self._draw(given, incident)

    def _find_closed(self, given: AlertIn) -> Incident | None:
        """Open the newest incident again that closed by itself a moment ago and would have taken the alert in."""
        if given.status is AlertStatus.RESOLVED:
            return None
        for incident, groups in self._closed:
            ago = self._now - max(one.ends_at or self._now for one in incident.alerts)
            fits = ago <= self._rejoin_own if given.group in groups else self._is_akin(given, incident)
            if fits and incident.closed_by_itself:
                self._closed.remove((incident, groups))
                self._newest.append(incident)
                self._draw(given, incident)
                again = open_again(self._session, incident, self._now)
                self._ongoing.update((one.open_key, one) for one in again if one.open_key)
                seconds = max(0.0, ago.total_seconds())
                text = f"open again: {given.name} fires {seconds:.0f} s after the last alert of it had cleared"
                add_entry(incident, self._now, DESK, "status", text)
                return incident
        return None

    def _is_akin(self, given: AlertIn, incident: Incident) -> bool:
        others = [
            Told(one.labels.get("component", ""), one.annotations.get(STANDS_ON, ""), _scenario(one))
            for one in incident.alerts
            if one.ends_at is None or self._now - one.ends_at <= self._rejoin
        ]
        return akin(Told(given.service, given.annotations.get(STANDS_ON, ""), given.scenario), others)

    def _draw(self, given: AlertIn, incident: Incident) -> Incident:
        """Have further alerts of this alert's group join the incident too."""
        self._ongoing[given.group] = incident
        if incident.scenario == NONE and given.scenario:
            incident.scenario = given.scenario
        return incident

    def _open(self, given: AlertIn) -> Incident:
        self._received.opened += 1
        incident = Incident(
            open_key=given.group,
            title=given.annotations.get("summary_en") or given.annotations.get("summary") or given.name,
            status=Status.OPEN.value,
            severity=given.severity,
            team=given.labels.get("team", DEFAULT_TEAM)[:64],
            scenario=given.scenario or NONE,
            service=given.service,
            owner="",
            metric=given.annotations.get("metric", "")[:256],
            value=given.value,
            use_cases=[],
            root_cause="",
            rca="",
            opened_at=self._now,
            alerts=[],
            entries=[],
        )
        self._session.add(incident)
        self._ongoing[given.group] = incident
        if len(self._newest) < MOST_AKIN:
            self._newest.append(incident)
        add_entry(incident, self._now, ALERTMANAGER, "opened", f"opened by {given.name}", _reading(given))
        return incident

    def _add_alert(self, incident: Incident, given: AlertIn, home_id: int | None) -> None:
        alert = Alert(
            fingerprint=given.fingerprint,
            starts_at=given.startsAt,
            ends_at=given.ended_at or (self._now if given.status is AlertStatus.RESOLVED else None),
            status=given.status.value,
            name=given.name,
            labels=given.labels,
            annotations=given.annotations,
            generator_url=given.generatorURL,
            source=self._source,
            received_at=self._now,
            home_id=home_id,
        )
        incident.alerts.append(alert)
        self._known[given.fingerprint, given.startsAt] = alert
        if _is_worse(given, incident):
            incident.severity = given.severity


def _joined(incident: Incident, given: AlertIn) -> str:
    """The timeline's line on an alert that joins. A worse severity is told, which the owner did not know of."""
    text = f"{given.name} {given.status}"
    if _is_worse(given, incident):
        text += f"; severity was {incident.severity}, is {given.severity}"
    return text


def _is_worse(given: AlertIn, incident: Incident) -> bool:
    return SEVERITIES.index(given.severity) > SEVERITIES.index(incident.severity)


def _scenario(alert: Alert) -> str:
    scenario = alert.labels.get("scenario", "")
    return "" if scenario in NO_SCENARIO else scenario


def _reading(given: AlertIn) -> list[ReadingShape]:
    return [
        ReadingShape(
            probe=given.annotations.get("metric", given.name)[:128],
            value=given.value,
            unit=given.annotations.get("unit_en", "")[:128],
            at=given.startsAt,
            source=ALERTMANAGER,
            query=given.expression or f"ALERTS{{alertname={given.name!r}}}",
            error=None if given.value is not None else "the rule gives no value",
        )
    ]


def close_if_clear(incident: Incident, now: datetime) -> None:
    """Move an incident on whose alerts have all cleared.

    One that nobody took on is resolved. One whose repair had begun is verified next: are service and data whole? In
    every other case the timeline gets a line, and the owner resolves the incident.
    """
    if any(alert.status == AlertStatus.FIRING for alert in incident.alerts):
        return
    if incident.status == Status.OPEN:
        incident.status, incident.resolved_at, incident.open_key = Status.RESOLVED.value, now, None
        add_entry(incident, now, ALERTMANAGER, "status", "resolved: all alerts cleared before anybody took it on")
        end_parts(incident, Status.RESOLVED, now, DESK)
    elif incident.status == Status.MITIGATING:
        incident.status, incident.verifying_at = Status.VERIFYING.value, now
        add_entry(incident, now, ALERTMANAGER, "status", "verifying: all alerts cleared; whoever owns it resolves it")
    elif incident.resolved_at is None:
        add_entry(incident, now, ALERTMANAGER, "alert", "all alerts cleared; whoever owns it resolves it")
