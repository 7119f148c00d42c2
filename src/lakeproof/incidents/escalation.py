"""What the desk does by itself, in the background: look up the moment of a new incident, escalate a forgotten one."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from lakeproof.errors import LakeproofError
from lakeproof.incidents.shapes import IncidentOut, ReadingShape
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import expression_of

log = logging.getLogger(__name__)

type Look = Callable[[str, Mapping[str, str], datetime], Mapping[str, ReadingShape]]
type FindUseCases = Callable[[str], list[str]]


class Watch:
    """Rounds over the incidents. `look(expression, labels, at)` asks the stack; `escalated` tells people."""

    def __init__(
        self,
        store: Store,
        look: Look,
        find_use_cases: FindUseCases,
        escalated: Callable[[IncidentOut], None] = lambda incident: None,
    ) -> None:
        self._store = store
        self._look = look
        self._find_use_cases = find_use_cases
        self._escalated = escalated
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that runs."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join(timeout=10)

    def hurry(self) -> None:
        """Something new is there: do not wait for the next second."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.make_round()
            except (SQLAlchemyError, LakeproofError) as error:
                log.warning("a round failed and is made again: %s", error)
            self._wanted.wait(timeout=1.0)
            self._wanted.clear()

    def make_round(self) -> None:
        """One round: every incident without a moment gets it, every forgotten one is escalated once."""
        for name in self._store.without_moment():
            if self._stopping.is_set():
                return
            self._look_up(self._store.get(name))
        for incident in self._store.escalate_due():
            log.warning(
                "%s is escalated: %s had promised to acknowledge it by %s",
                incident.id,
                incident.team,
                incident.acknowledge_by.isoformat(timespec="seconds"),
            )
            self._escalated(incident)

    def _look_up(self, incident: IncidentOut) -> None:
        first = incident.alerts[0] if incident.alerts else None
        moment = self._look(
            expression_of(first.generator_url) if first else "",
            first.labels if first else {},
            first.starts_at if first else incident.opened_at,
        )
        self._store.keep_moment(incident.id, moment, self._find_use_cases(incident.scenario))
