"""What the desk does by itself: look up the moment of a new incident, escalate a forgotten one, compare its alerts
with those that Alertmanager knows, answer its checklist, and give the windows back that a killed drill changed.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from lakeproof.errors import CouldNotLook
from lakeproof.incidents.person import DESK
from lakeproof.incidents.rounds import Rounds
from lakeproof.incidents.self_check import StackLook, look_at
from lakeproof.incidents.shapes import IncidentOut, ReadingShape
from lakeproof.incidents.store import Moment, Store
from lakeproof.incidents.webhook import expression_of
from lakeproof.observability.active import ActiveAlerts

log = logging.getLogger(__name__)

LOOK_AT_ALERTS_EVERY_SECONDS = 5.0
LOOK_AT_WINDOWS_EVERY_SECONDS = 5.0
KEEP_EVERY_SECONDS = 1.0
LOOK_AT_CHECKLISTS_EVERY_SECONDS = 10.0
# The desk looks at the checklist of a resolved incident for this long. After that only a person answers it.
CHECKLISTS_FOR = timedelta(hours=1)

LONGEST_ERROR = 1000

type Look = Callable[[str, Sequence[Mapping[str, str]], datetime], Mapping[str, ReadingShape]]
type ReadActive = Callable[[], ActiveAlerts]
type FindUseCases = Callable[[str], list[str]]


class Watch:
    """Rounds over the incidents.

    look(expression, alerts, at): asks the stack for the moment `at`. `alerts`: the labels of each alert.
    escalated: is called once for each incident that is escalated.
    lost_after: an alert that Alertmanager has not known for this long counts as ended.
    give_back_windows: restores the windows of alerts that a killed drill changed; does nothing where no drill did.
    stack_look: answers the items of a checklist that a machine can answer; None: only people answer.
    clock: monotonic seconds, by which pauses go, and how long an alert has been missing. So they stay what they are
    while somebody sets the machine's time. Only times that are compared with stored ones go by the store's clock.
    """

    def __init__(
        self,
        store: Store,
        look: Look,
        find_use_cases: FindUseCases,
        escalated: Callable[[IncidentOut], None] = lambda incident: None,
        read_active: ReadActive | None = None,
        lost_after: timedelta = timedelta(seconds=150),
        give_back_windows: Callable[[], object] = lambda: None,
        stack_look: StackLook | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._look = look
        self._find_use_cases = find_use_cases
        self._escalated = escalated
        self._read_active = read_active
        self._lost_after = lost_after
        self._give_back_windows = give_back_windows
        self._stack_look = stack_look
        self._clock = clock
        self._looked_at: dict[str, float] = {}
        self._missing_since: dict[int, float] = {}
        self._alertmanager_since: datetime | None = None
        self.rounds = Rounds("watch", self.make_round)

    def make_round(self) -> None:
        """One round: look up the moment of every incident that has none, and the use cases of one that an alert of a
        scenario joined later; escalate each forgotten one, once; then make the other looks that are due.
        """
        names = self._store.without_moment()
        # Moments are written in batches: in a storm each further transaction would hold up webhooks by a disk write.
        found, begun = [], time.monotonic()
        for name in names:
            if self.rounds.stopping:
                break
            found.append(self._look_up(self._store.get(name)))
            self.rounds.went_on()
            if time.monotonic() - begun >= KEEP_EVERY_SECONDS:
                self._store.keep_moments(found)
                found, begun = [], time.monotonic()
        self._store.keep_moments(found)
        if names:
            self.rounds.hurry()
        for row in self._store.without_use_cases():
            if use_cases := self._find_use_cases(row.scenario):
                self._store.keep_use_cases(row.id, use_cases)
        for incident in self._store.escalate_due():
            log.warning(
                "%s is escalated: nobody had acknowledged it by %s",
                incident.id,
                incident.acknowledge_by.isoformat(timespec="seconds"),
            )
            self._escalated(incident)
        self.compare_alerts()
        self.look_at_checklists()
        self.give_back_windows()

    def _is_due(self, look: str, every_seconds: float) -> bool:
        """True where `look` was not made for `every_seconds`; it then counts as made now."""
        now, before = self._clock(), self._looked_at.get(look)
        if before is not None and now - before < every_seconds:
            return False
        self._looked_at[look] = now
        return True

    def look_at_checklists(self) -> None:
        """Answer what a machine can answer, for incidents that are being verified or were resolved lately."""
        if self._stack_look is None or not self._is_due("checklists", LOOK_AT_CHECKLISTS_EVERY_SECONDS):
            return
        for incident in self._store.to_look_at(self._store.now() - CHECKLISTS_FOR):
            try:
                self._store.keep_looks(incident.id, look_at(incident, self._stack_look))
            except Exception:  # one incident that cannot be looked at must not hold up the others
                log.exception("the checklist of %s could not be answered", incident.id)
            self.rounds.went_on()

    def give_back_windows(self) -> None:
        """Have alerts go by the stack's own windows again after a drill that was killed. Raises: LakeproofError."""
        if self._is_due("windows", LOOK_AT_WINDOWS_EVERY_SECONDS):
            self._give_back_windows()

    def compare_alerts(self) -> None:
        """End alerts that their Alertmanager has not known for `lost_after`; take up again those that fire on.

        Over a restart Alertmanager forgets what fired, so it can never report the end of those alerts. Prometheus
        tells it again what still fires, within a minute at most; `lost_after` must be longer, and is counted anew
        after a restart of Alertmanager. No alert ends while Alertmanager does not answer.

        While Prometheus hangs, Alertmanager lets its alerts expire and reports their end. Afterwards Prometheus goes
        on with the same start, so the webhook that follows looks like a late one of the firing that ended. Only
        Alertmanager's own list tells that such an alert fires.
        """
        if self._read_active is None or not self._is_due("alerts", LOOK_AT_ALERTS_EVERY_SECONDS):
            return
        now = self._clock()
        firing = self._store.firing()
        try:
            active = self._read_active()
        except CouldNotLook as error:
            if firing:
                log.info("whether alerts still fire is not known: %s", error.message)
            self._missing_since.clear()
            return
        missing = [
            one for one in firing if one.source == active.source and one.fingerprint not in active.fingerprints
        ]
        if active.since != self._alertmanager_since:
            self._alertmanager_since = active.since
            self._missing_since.clear()
        self._missing_since = {one.id: self._missing_since.get(one.id, now) for one in missing}
        lost_after = self._lost_after.total_seconds()
        self._store.forget(one for one in missing if now - self._missing_since[one.id] >= lost_after)
        unheard = active.firing.keys() - {one.fingerprint for one in firing}
        if unheard:
            starts = {fingerprint: active.firing[fingerprint] for fingerprint in unheard}
            self._store.take_up_again(active.source, starts, ended_before=self._store.now() - self._lost_after)

    def _look_up(self, incident: IncidentOut) -> Moment:
        first = incident.alerts[0] if incident.alerts else None
        at = first.starts_at if first else incident.opened_at
        expression = expression_of(first.generator_url) if first else ""
        moment: Mapping[str, ReadingShape]
        try:
            moment = self._look(expression, [alert.labels for alert in incident.alerts], at)
        except Exception as error:  # one incident that cannot be looked up must not hold up the others
            log.exception("the moment of %s could not be looked up", incident.id)
            said = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
            moment = {"violation": ReadingShape(probe="violation", at=at, source=DESK, query=expression, error=said)}
        return incident.id, moment, self._find_use_cases(incident.scenario)
