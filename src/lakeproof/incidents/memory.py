"""The desk's memory: a transaction for each change, and an incident found in it by the name that people write."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from lakeproof.errors import InvalidInput
from lakeproof.incidents.models import Entry, Incident
from lakeproof.incidents.shapes import IncidentOut, public_id, utc_now

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


def number_of(name: str) -> int:
    """The number in an id as people write it: INC-000012 or 12. Raises: NoSuchIncident for what is no id."""
    match = _ID.fullmatch(name)
    if match is None:
        raise NoSuchIncident(name)
    return int(match[1])


def find(session: Session, name: str) -> Incident:
    incident = session.get(Incident, number_of(name))
    if incident is None:
        raise NoSuchIncident(name)
    return incident


def find_to_change(session: Session, name: str) -> Incident:
    """As `find`, and locks the incident: where writers do not queue up (PostgreSQL), another writer of it waits."""
    found = find(session, name)
    session.refresh(found, with_for_update=True)
    return found


def lock(session: Session, *incidents: Incident) -> None:
    """Lock these incidents against other writers and read them anew. By ascending id, so that no two deadlock."""
    for one in sorted(incidents, key=lambda each: each.id):
        session.refresh(one, with_for_update=True)


def kept_with(session: Session, key: str) -> Incident | None:
    """The incident with the line that a call with this key wrote; None where no call had the key, and for ""."""
    number = session.scalar(select(Entry.incident_id).where(Entry.key == key)) if key else None
    return None if number is None else session.get_one(Incident, number)


def is_repeated(session: Session, incident: Incident, key: str) -> bool:
    """True where a call with this key was kept for this incident. Raises: InvalidInput where it was for another."""
    known = kept_with(session, key)
    if known is not None and known is not incident:
        raise InvalidInput(
            f"a call with that key was kept for {public_id(known.id)}",
            where=public_id(incident.id),
            next_action="give each call a key of its own",
        )
    return known is not None


def out(incident: Incident) -> IncidentOut:
    return IncidentOut.model_validate(incident)


def kept(session: Session, incident: Incident) -> IncidentOut:
    """The incident with its changes written; they are on disk once the transaction has ended."""
    session.flush()
    return out(incident)
