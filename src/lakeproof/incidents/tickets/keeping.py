"""Tickets kept in step with their incidents, whatever goes down meanwhile.

There is no queue of updates. What has to be sent is the difference between an incident's timeline and what its ticket
was told (`Ticket.told`), both in the desk's database. So nothing is lost while the ITSM is down, and many changes
become one update. Before the desk asks the ITSM for a ticket, it writes down that it asks. Where it then hears no
answer (the desk or the ITSM was killed), it looks for the ticket by its marker before it asks again, so that none is
made twice.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from lakeproof.errors import InvalidInput
from lakeproof.incidents.checklist import TICKET, AnswerState
from lakeproof.incidents.footnotes import shown
from lakeproof.incidents.memory import Memory, find, out
from lakeproof.incidents.models import Entry, Incident, Ticket
from lakeproof.incidents.person import DESK
from lakeproof.incidents.rounds import Rounds
from lakeproof.incidents.shapes import IncidentOut
from lakeproof.incidents.status import ONGOING, Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.tickets.github import GitHub
from lakeproof.incidents.tickets.jira import Jira
from lakeproof.incidents.tickets.post import WebhookItsm
from lakeproof.incidents.tickets.ticket import Itsm, ItsmFailed, Made, TicketState, TicketText
from lakeproof.incidents.timeline import add_entry
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# When tickets are switched on, ongoing incidents get one, and so do others that opened within this time.
YOUNG = timedelta(hours=1)
LONGEST_PAUSE_SECONDS = 300.0
# Every ticket is compared with its timeline this often, even where no newer line is seen. PostgreSQL gives ids out
# before it commits, so a line may become visible after a line with a higher id.
FULL_LOOK_SECONDS = 60.0
# A ticket that was asked for, and that the ITSM did not find, is searched again after this time.
LOOK_AGAIN_SECONDS = 5.0
LINES = 20


def itsm_of(stack: Stack, client: httpx.Client) -> Itsm | None:
    """The ITSM of the settings, asked through `client`, which it sets up; None where there is none.

    Raises: InvalidInput where its token cannot be read.
    """
    wanted = stack.settings.tickets
    if not wanted.kind:
        return None
    token = _token(stack)
    client.timeout = httpx.Timeout(wanted.seconds)
    if wanted.kind == "webhook":
        return WebhookItsm(client, wanted.url, token)
    if not token:
        raise InvalidInput(
            f"{wanted.kind} needs a token",
            where="tickets",
            next_action="set tickets.token_file, or the secret ticket-token",
        )
    if wanted.kind == "jira":
        client.auth = httpx.BasicAuth(wanted.account, token)
        return Jira(client, wanted.url, wanted.project, wanted.issue_type)
    client.headers["Authorization"] = f"Bearer {token}"
    return GitHub(client, wanted.url, wanted.project)


def _token(stack: Stack) -> str:
    path = stack.settings.tickets.token_file
    if path is None:
        return stack.settings.secrets.get("ticket-token", "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{error}", where="tickets.token_file", next_action="name a readable file") from error


class Keeping(Memory):
    """Rounds over the tickets of one desk. `page` is the address of an incident's page, before its id.

    `clock` gives monotonic seconds, by which pauses go, so that they stay what they are while somebody sets the
    machine's time. Only a desk that has just started has to go by the stored time (`Ticket.next_at`).
    """

    def __init__(
        self, store: Store, itsm: Itsm, name: str, page: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(store.engine, store.now)
        self._store, self._itsm, self._name, self._page, self._clock = store, itsm, name, page, clock
        self._seen, self._looked_at = -1, clock()
        # Incidents whose tickets are left alone: after how many failures, and until when by `clock`. It is held here
        # as well because a failing database cannot keep it.
        self._held: dict[int, tuple[int, float]] = {}
        self.rounds = Rounds("tickets", self.make_round)

    def make_round(self) -> int:
        """Bring every ticket that is due in step, as far as the ITSM lets it; gives how many were due."""
        due, newest = self._due()
        for number in due:
            if self.rounds.stopping:
                return len(due)
            try:
                self._bring_in_step(number)
            except SQLAlchemyError as error:
                log.warning("what became of the ticket of incident %d was not kept: %s", number, error)
                if number not in self._held or self._held[number][1] <= self._clock():
                    self._hold(number)  # unless the ITSM failed as well, which held it for as long as the ITSM asked
            self.rounds.went_on()
        self._seen = newest  # only now: a round that was cut short is made again
        return len(due)

    def _due(self) -> tuple[list[int], int]:
        """The incidents whose ticket is missing or behind their timeline, and not in a pause after a failure; and the
        id of the newest timeline line that this answer takes into account.
        """
        now, clock = self._now(), self._clock()
        with self._read() as session:
            newest = session.scalar(select(func.max(Entry.id))) or 0
            waiting = session.scalar(select(func.count(Ticket.id)).where(Ticket.next_at.is_not(None)))
            at_rest = newest == self._seen and not waiting and not self._held
            if at_rest and clock - self._looked_at < FULL_LOOK_SECONDS:
                return [], newest
            self._looked_at = clock
            told = select(func.max(Entry.id)).where(Entry.incident_id == Ticket.incident_id).scalar_subquery()
            behind = select(Ticket.incident_id, Ticket.next_at).where(told > Ticket.told)
            without = (
                select(Incident.id)
                .outerjoin(Ticket)
                .where(
                    Ticket.id.is_(None),
                    Incident.status.in_([one.value for one in ONGOING]) | (Incident.opened_at > now - YOUNG),
                )
            )
            next_at = {row[0]: row[1] for row in session.execute(behind)} | dict.fromkeys(session.scalars(without))
        self._held = {number: held for number, held in self._held.items() if number in next_at}
        held = {number for number, (_, until) in self._held.items() if until > clock}
        paused = {number for number, at in next_at.items() if number not in self._held and at and at > now}
        return sorted(next_at.keys() - held - paused), newest

    def _bring_in_step(self, number: int) -> None:
        ticket, text = self._prepare(number)
        try:
            if ticket.key:
                self._itsm.update(ticket.key, text)
                made = Made(ticket.key, ticket.url)
            else:
                found = self._make(number, ticket, text)
                if found is None:
                    return
                made = found
                self._keep_made(number, made)
                self._itsm.update(made.key, text)
        except ItsmFailed as error:
            self._keep_failure(number, error)
            return
        except SQLAlchemyError:
            raise
        except Exception as error:  # an answer that nobody foresaw: the ticket waits like any failed one
            log.exception("the ITSM's answer for incident %d was not understood", number)
            self._keep_failure(number, ItsmFailed(f"{type(error).__name__}: {error}", sure=False))
            return
        self._keep_told(number, text)

    def _prepare(self, number: int) -> tuple[Ticket, TicketText]:
        with self._write() as session:
            ticket = session.scalar(select(Ticket).where(Ticket.incident_id == number))
            if ticket is None:
                ticket = Ticket(incident_id=number, key="", url="", state="", told=0, tries=0, error="")
                session.add(ticket)
                session.flush()
            incident = out(find(session, str(number)))
            session.expunge(ticket)
        return ticket, text_of(incident, self._name, self._page)

    def _make(self, number: int, ticket: Ticket, text: TicketText) -> Made | None:
        """The new ticket, or the one that an earlier call made; None while nobody can tell whether it made one."""
        now = self._now()
        if ticket.asked_at is not None:
            if (found := self._itsm.find(text.marker)) is not None:
                return found
            if (now - ticket.asked_at).total_seconds() < self._itsm.settle_seconds:
                self._held[number] = self._tries(number), self._clock() + LOOK_AGAIN_SECONDS
                next_at = now + timedelta(seconds=LOOK_AGAIN_SECONDS)
                self._change(number, next_at=next_at, error="asked before; not to be seen yet")
                return None
        self._change(number, asked_at=now)
        try:
            return self._itsm.create(text)
        except ItsmFailed as error:
            # `settle_seconds` count from the end of the call, which may have taken longer than they are.
            self._change(number, asked_at=None if error.sure else self._now())
            raise

    def _keep_made(self, number: int, made: Made) -> None:
        with self._write() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.incident_id == number)).one()
            ticket.key, ticket.url = made.key, made.url
            incident = find(session, str(number))
            add_entry(incident, self._now(), DESK, "ticket", f"ticket {made.key} {made.url}".rstrip())

    def _keep_told(self, number: int, text: TicketText) -> None:
        with self._read() as session:
            key = session.scalars(select(Ticket.key).where(Ticket.incident_id == number)).one()
        found = (AnswerState.DONE, f"ticket {key} is resolved")
        if text.state != "done":  # also of a part that is an incident of its own again
            found = (AnswerState.OPEN, f"ticket {key} is not resolved yet")
        # The checklist comes first: once the ticket counts as told, nothing writes the item again.
        self._store.keep_looks(str(number), {TICKET: found})
        self._change(number, told=text.version, state=text.state, tries=0, error="", next_at=None)
        self._held.pop(number, None)

    def _keep_failure(self, number: int, error: ItsmFailed) -> None:
        log.warning("the ticket of incident %d is not in step: %s", number, error.message)
        self._hold(number, error.retry_seconds)
        with self._write() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.incident_id == number)).one()
            ticket.tries += 1
            ticket.next_at = self._now() + _pause(ticket.tries, error.retry_seconds)
            ticket.error = error.message[:1000]

    def _hold(self, number: int, asked_seconds: float | None = None) -> None:
        tries = self._tries(number) + 1
        self._held[number] = tries, self._clock() + _pause(tries, asked_seconds).total_seconds()

    def _tries(self, number: int) -> int:
        return self._held[number][0] if number in self._held else 0

    def _change(self, number: int, **values: object) -> None:
        with self._write() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.incident_id == number)).one()
            for name, value in values.items():
                setattr(ticket, name, value)


def _pause(tries: int, asked_seconds: float | None) -> timedelta:
    """The pause that the ITSM asked for, however long; else one that is longer after each failure."""
    return timedelta(seconds=asked_seconds or min(2.0 ** min(tries, 10), LONGEST_PAUSE_SECONDS))


def text_of(incident: IncidentOut, name: str, page: str) -> TicketText:
    """What the incident's ticket has to say now, with the Nessie hash that was published when the incident opened.

    `name`: the stack's.
    """
    published = (incident.moment or {}).get("published")
    alert = incident.alerts[0] if incident.alerts else None
    facts = (
        ("Incident", f"{incident.id}, {incident.status.value}"),
        ("Time", f"{(alert.starts_at if alert else incident.opened_at).isoformat(timespec='seconds')}"),
        ("Service", incident.service or "not said"),
        ("Violated metric", incident.violated() or "not said"),
        ("Nessie hash", "being looked up" if published is None else shown(published)),
        ("Severity", incident.severity),
        ("Team", incident.team),
        ("Owner", incident.owner or "nobody yet"),
        ("Scenario", incident.scenario),
        ("Use cases", ", ".join(incident.use_cases) or "none recorded"),
        ("Root cause", incident.root_cause or "not named yet"),
        ("Lesson learned", incident.lesson or "not written yet"),
    )
    merged = (("Merged into", incident.merged_into),) if incident.merged_into else ()
    lines = tuple(f"{one.at:%Y-%m-%d %H:%M:%S} {one.who}: {one.what[:300]}" for one in incident.timeline[-LINES:])
    identity = f"{name} {incident.id} {incident.opened_at.isoformat()}"
    return TicketText(
        marker=f"lakeproof-{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        version=incident.timeline[-1].id,
        title=f"{incident.id}: {' '.join(incident.title.split())}",
        state=_state(incident),
        severity=incident.severity,
        facts=facts + merged,
        lines=lines,
        page=f"{page}{incident.id}",
    )


def _state(incident: IncidentOut) -> TicketState:
    if incident.merged_into or incident.status not in ONGOING:
        return "done"
    return "open" if incident.status is Status.OPEN else "in_progress"
