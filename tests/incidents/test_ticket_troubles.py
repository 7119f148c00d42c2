"""What goes wrong between the desk and an ITSM: nothing is lost or made twice, and nobody is asked too often."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tests.incidents import itsm_servers
from tests.incidents.ticket_case import Case

from lakeproof.incidents.shapes import Act, IncidentIn, Note
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.tickets.keeping import Keeping, itsm_of
from lakeproof.incidents.tickets.ticket import ItsmFailed, Made, TicketText
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_nothing_is_lost_while_the_itsm_is_down(case: Case, clock: Any) -> None:
    case.server.down = True
    case.store.open(IncidentIn(title="x"))
    case.keeping.make_round()
    case.store.move("1", Status.RESOLVED, Act(who="an"))
    kept = case.store.get("1").ticket
    assert kept is not None
    assert (kept.key, "503" in kept.error) == ("", True)
    asked = len(case.server.calls)
    case.keeping.make_round()
    assert len(case.server.calls) == asked  # it is left alone for a while
    case.server.down = False
    clock.forward(hours=2)
    case.keeping = case.anew()
    case.settle()
    assert case.state() == "done"


def test_a_ticket_whose_answer_was_lost_is_found_and_not_made_twice(case: Case, clock: Any) -> None:
    case.server.break_next = True
    case.store.open(IncidentIn(title="x"))
    case.keeping.make_round()
    assert len(case.server.tickets) == 1
    clock.forward(minutes=5)
    case.settle()
    assert len(case.server.tickets) == 1
    ticket = case.store.get("1").ticket
    assert ticket is not None
    assert (bool(ticket.key), ticket.error) == (True, "")


@pytest.mark.parametrize("kind", ["jira", "github"])
def test_a_login_page_in_front_of_the_itsm_is_no_answer(
    kind: str, store: Store, clock: Any, make_case: Callable[[str], Case]
) -> None:
    case = make_case(kind)
    store.open(IncidentIn(title="x"))
    case.settle()
    case.server.login = True
    store.move("1", Status.RESOLVED, Act(who="an"))
    store.open(IncidentIn(title="y"))
    case.keeping.make_round()
    for name in ("1", "2"):
        kept = store.get(name).ticket
        assert kept is not None
        assert (kept.tries, bool(kept.error), kept.state) == (1, True, "open" if name == "1" else "")
    case.server.login = False
    clock.forward(minutes=5)
    case.settle()
    assert [store.get(name).ticket.state for name in ("1", "2")] == ["done", "open"]  # type: ignore[union-attr]
    assert len(case.server.tickets) == 2


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        *((given, 2) for given in ("nan", "inf", "-5", "0", "Wed, 21 Oct 2026 07:28:00 GMT")),
        ("1e200", 86_400),
    ],
)
def test_a_pause_that_is_no_number_of_seconds_is_the_desks_own_and_one_of_years_a_day(
    case: Case, clock: Any, given: str, seconds: int
) -> None:
    case.server.down, case.server.retry_after = True, given
    case.store.open(IncidentIn(title="x"))
    case.keeping.make_round()
    kept = case.store.get("1").ticket
    assert kept is not None and kept.next_at is not None
    assert (kept.next_at - clock()).total_seconds() == seconds


class Slow:
    """An ITSM that takes ten seconds to fail, though it made the ticket, and shows new ones five seconds later."""

    settle_seconds = 5.0

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.made: list[Any] = []
        self.unreachable = False

    def find(self, marker: str) -> Made | None:
        if self.unreachable:
            raise ItsmFailed("no connection", sure=True)
        shown = [at for at in self.made if (self._clock() - at).total_seconds() >= self.settle_seconds]
        return Made("1", "") if shown else None

    def create(self, ticket: TicketText) -> Made:
        self._clock.forward(seconds=10)
        self.made.append(self._clock())
        raise ItsmFailed("ReadTimeout", sure=False)

    def update(self, key: str, ticket: TicketText) -> None:
        pass


def test_a_ticket_whose_making_took_longer_than_the_search_lags_is_made_once(store: Store, clock: Any) -> None:
    itsm = Slow(clock)
    keeping = Keeping(store, itsm, "default", "http://desk/", clock=clock.monotonic)
    store.open(IncidentIn(title="x"))
    for _ in range(5):
        keeping.make_round()
        clock.forward(seconds=2)
    keeping.make_round()
    kept = store.get("1").ticket
    assert kept is not None
    assert (len(itsm.made), kept.key) == (1, "1")


def test_an_itsm_that_cannot_be_searched_is_not_asked_for_a_second_ticket(store: Store, clock: Any) -> None:
    itsm = Slow(clock)
    keeping = Keeping(store, itsm, "default", "http://desk/", clock=clock.monotonic)
    store.open(IncidentIn(title="x"))
    keeping.make_round()
    itsm.unreachable = True
    for _ in range(3):
        clock.forward(minutes=6)
        keeping.make_round()
    itsm.unreachable = False
    clock.forward(minutes=6)
    keeping.make_round()
    assert len(itsm.made) == 1


def test_an_error_of_the_database_holds_up_one_ticket_and_only_for_a_moment(
    case: Case, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for title in ("x", "y"):
        case.store.open(IncidentIn(title=title))
    create = case.itsm.create

    def fail(ticket: TicketText) -> Made:
        if "INC-000001" in ticket.title:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return create(ticket)

    with monkeypatch.context() as patched:
        patched.setattr(case.itsm, "create", fail)
        case.keeping.make_round()
    assert len(case.server.tickets) == 1
    clock.forward(seconds=2)
    with monkeypatch.context() as patched:
        patched.setattr(case.itsm, "settle_seconds", 0)
        case.settle()
    assert len(case.server.tickets) == 2


@contextmanager
def no_writes(store: Store) -> Iterator[None]:
    """The desk's database as on a full disk, or as a read-only PostgreSQL: it answers, and keeps nothing."""

    def refuse(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            raise OperationalError(statement, {}, Exception("database or disk is full"))

    event.listen(store.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(store.engine, "before_cursor_execute", refuse)


class Refusing:
    """An ITSM that keeps what it is told; with `wants`, it refuses and asks for so many seconds instead."""

    settle_seconds = 0.0

    def __init__(self) -> None:
        self.updates = 0
        self.wants: float | None = None

    def find(self, marker: str) -> Made | None:
        return None

    def create(self, ticket: TicketText) -> Made:
        return Made("1", "")

    def update(self, key: str, ticket: TicketText) -> None:
        self.updates += 1
        if self.wants is not None:
            raise ItsmFailed("answered 429", sure=True, retry_seconds=self.wants)


@pytest.fixture
def refusing(store: Store, clock: Any) -> tuple[Refusing, Keeping]:
    """With a ticket that is behind."""
    itsm = Refusing()
    keeping = Keeping(store, itsm, "default", "http://desk/", clock=clock.monotonic)
    store.open(IncidentIn(title="x"))
    while keeping.make_round():
        pass
    store.note("1", Note(text="more"))
    itsm.updates = 0
    return itsm, keeping


def test_a_database_that_takes_no_writes_does_not_make_the_desk_ask_the_itsm_each_second(
    refusing: tuple[Refusing, Keeping], store: Store, clock: Any
) -> None:
    itsm, keeping = refusing
    with no_writes(store):
        for _ in range(10):
            keeping.make_round()
            clock.forward(seconds=1)
    assert itsm.updates == 3  # after 0, 2 and 6 s
    clock.forward(seconds=8)
    assert [keeping.make_round(), keeping.make_round()] == [1, 0]
    assert itsm.updates == 4


@pytest.mark.parametrize("writes", [True, False])
def test_an_itsm_that_asks_for_ten_minutes_has_them(
    writes: bool, refusing: tuple[Refusing, Keeping], store: Store, clock: Any
) -> None:
    itsm, keeping = refusing
    itsm.wants = 600.0
    with nullcontext() if writes else no_writes(store):
        keeping.make_round()
        clock.forward(seconds=599)
        assert keeping.make_round() == 0
        clock.forward(seconds=1)
        assert keeping.make_round() == 1
    assert itsm.updates == 2


def test_a_clock_set_back_by_an_hour_lengthens_no_pause(
    refusing: tuple[Refusing, Keeping], store: Store, clock: Any
) -> None:
    itsm, keeping = refusing
    itsm.wants = 5.0
    keeping.make_round()
    clock.set(hours=-1)
    clock.forward(seconds=5)
    assert keeping.make_round() == 1
    assert itsm.updates == 2


def test_a_checklist_that_could_not_be_written_is_answered_later_and_not_left_open(
    refusing: tuple[Refusing, Keeping], store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, keeping = refusing

    def locked(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    store.move("1", Status.RESOLVED, Act(who="an"))
    with monkeypatch.context() as patched:
        patched.setattr(store, "keep_looks", locked)
        keeping.make_round()
    clock.forward(minutes=6)
    while keeping.make_round():
        pass
    line = next(line for line in store.get("1").checklist if line.item == "ticket_resolved")
    assert line.state.value == "done"


class Killed(BaseException):
    """As kill -9 ends a process: nothing is caught, nothing cleaned up."""


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_desk_that_is_killed_while_it_makes_a_ticket_makes_one(
    case: Case, clock: Any, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = case.itsm.create

    def die(ticket: TicketText) -> Made:
        if at == "after":
            create(ticket)
        raise Killed

    case.store.open(IncidentIn(title="x"))
    with monkeypatch.context() as patched:
        patched.setattr(case.itsm, "create", die)
        with pytest.raises(Killed):
            case.keeping.make_round()
    case.keeping = case.anew()
    clock.forward(seconds=61)
    case.settle()
    assert len(case.server.tickets) == 1


def test_jira_is_not_asked_again_before_its_search_can_know(store: Store, clock: Any, tmp_path: Path) -> None:
    server = itsm_servers.FakeJira()
    with itsm_servers.serve(server) as url, httpx.Client() as client:
        tickets = {"kind": "jira", "url": url, "project": "OPS", "account": "an@example.com"}
        given = {"state_dir": tmp_path, "tickets": tickets, "secrets": {"ticket-token": "t"}}
        itsm = itsm_of(Stack(Settings.model_validate(given)), client)
        assert itsm is not None
        keeping = Keeping(store, itsm, "default", "http://desk/", clock=clock.monotonic)
        server.break_next, server.hidden = True, True
        store.open(IncidentIn(title="x"))
        for _ in range(4):
            keeping.make_round()
            clock.forward(seconds=8)
        assert len(server.tickets) == 1
        server.hidden = False
        clock.forward(seconds=8)
        keeping.make_round()
        kept = store.get("1").ticket
        assert kept is not None
        assert (kept.key, len(server.tickets)) == ("OPS-1", 1)
