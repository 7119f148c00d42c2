"""The desk's memory: a transaction for each change, and an incident found in it by the name that people write."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lakeproof.errors import InvalidInput
from lakeproof.incidents.models import Incident
from lakeproof.incidents.shapes import IncidentOut, utc_now

_ID = re.compile(r"(?:INC-)?0*(\d{1,9})", re.IGNORECASE | re.ASCII)


class NoSuchIncident(InvalidInput):
    """There is no incident of that id."""

    def __init__(self, name: str) -> None:
        super().__init__("no such incident", where=name, next_action="lakeproof incident list")


class Memory:
    """A database, and a clock that gives aware times."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utc_now) -> None:
        self.engine = self._engine = engine
        self.now = self._now = now

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with self._engine.connect().execution_options(read_only=True) as connection, Session(connection) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session


def find(session: Session, name: str) -> Incident:
    match = _ID.fullmatch(name)
    incident = session.get(Incident, int(match[1])) if match else None
    if incident is None:
        raise NoSuchIncident(name)
    return incident


def find_to_change(session: Session, name: str) -> Incident:
    """As `find`; where writers do not queue up (PostgreSQL), another writer of this incident waits for this one."""
    found = find(session, name)
    session.refresh(found, with_for_update=True)
    return found


def lock(session: Session, *incidents: Incident) -> None:
    """Hold these against other writers, as they are now. Always by ascending id, so that two never wait crosswise."""
    for one in sorted(incidents, key=lambda each: each.id):
        session.refresh(one, with_for_update=True)


def out(incident: Incident) -> IncidentOut:
    return IncidentOut.model_validate(incident)
