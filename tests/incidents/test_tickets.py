"""Tickets in step with incidents, against local servers that speak the real protocols."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.incidents.conftest import Make, Receive
from tests.incidents.ticket_case import Case

from lakeproof.errors import InvalidInput
from lakeproof.incidents.models import Entry, Ticket
from lakeproof.incidents.shapes import Act, IncidentIn, Lesson, MergeIn, Note, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.tickets.keeping import itsm_of
from lakeproof.incidents.tickets.ticket import Itsm
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.stack.watch_settings import TicketSettings


def test_a_ticket_has_time_service_metric_and_nessie_hash_and_follows_the_incident(
    case: Case, alert: Make, receive: Receive
) -> None:
    given = alert()
    given["annotations"]["unit_en"] = "ms behind its source"
    receive(given)
    now = case.store.get("1").opened_at
    published = ReadingShape(probe="published_hash", value="ab12cd", at=now, source="nessie", query="main")
    case.store.keep_moments([("1", {"published": published}, [])])
    case.settle()
    (ticket,) = case.server.tickets.values()
    text = str(ticket).replace("\\", "").replace("u200b", "")
    for said in ("2026-11-24T11:59:58", "connect", "45000 ms behind its source (lag_millis)", "ab12cd", "INC-000001"):
        assert said in text
    assert case.state() == "open"
    case.store.move("1", Status.ACKNOWLEDGED, Act(who="an"))
    case.settle()
    assert case.state() == ("open" if case.kind == "github" else "in_progress")
    case.store.move("1", Status.RESOLVED, Act(who="an", text="resumed"))
    case.store.learn("1", Lesson(text="an alarm on the paused state", who="an"))
    case.settle()
    assert case.state() == "done"
    assert "an alarm on the paused state" in str(case.server.tickets)
    line = next(line for line in case.store.get("1").checklist if line.item == "ticket_resolved")
    assert (line.state.value, line.who) == ("done", "desk")


def test_a_part_that_is_on_its_own_again_has_an_open_ticket_and_its_checklist_says_so(case: Case) -> None:
    for title in ("whole", "part"):
        case.store.open(IncidentIn(title=title))
    case.store.merge("2", MergeIn(into="1"))
    case.settle()

    def answer() -> str:
        return next(line for line in case.store.get("2").checklist if line.item == "ticket_resolved").state.value

    assert answer() == "done"
    case.store.unmerge("2", Act())
    case.settle()
    assert answer() == "open"


def test_a_line_that_was_committed_after_a_newer_one_is_told_within_a_minute(
    make_case: Callable[[str], Case], clock: Any
) -> None:
    case = make_case("webhook")
    for title in ("x", "y"):
        case.store.open(IncidentIn(title=title))
    case.settle()
    newest = case.store.get("2").timeline[-1].id

    def write(incident: int, number: int) -> None:
        with Session(case.store.engine) as session, session.begin():
            what = f"line {number}"
            session.add(Entry(id=number, incident_id=incident, at=clock(), who="an", kind="note", what=what))

    write(2, newest + 2)  # its transaction took the later number, and was the first to commit
    case.settle()
    write(1, newest + 1)
    clock.forward(minutes=1)
    case.settle()
    assert f"line {newest + 1}" in str(case.server.tickets)


def test_many_changes_become_one_update(case: Case) -> None:
    case.store.open(IncidentIn(title="x"))
    case.settle()
    before = len(case.server.calls)
    for number in range(50):
        case.store.note("1", Note(text=f"line {number}"))
    case.settle()
    assert len(case.server.calls) - before <= 3
    assert "line 49" in str(case.server.tickets)


def test_at_rest_nobody_is_asked(case: Case) -> None:
    case.store.open(IncidentIn(title="x"))
    case.settle()
    before = len(case.server.calls)
    assert [case.keeping.make_round() for _ in range(3)] == [0, 0, 0]
    assert len(case.server.calls) == before


def test_hostile_text_stays_text_in_a_ticket(case: Case) -> None:
    title = "a\nb <script>@everyone</script> " + "x" * 400
    case.store.open(IncidentIn(title=title, service="![x](http://evil) `"))
    case.settle()
    (ticket,) = case.server.tickets.values()
    if case.kind == "github":
        assert "@everyone" not in ticket["body"]
        assert "\\!\\[x\\](http" in ticket["body"]


def test_old_incidents_get_no_ticket_when_tickets_are_switched_on(case: Case, clock: Any) -> None:
    case.store.open(IncidentIn(title="old"))
    case.store.move("1", Status.RESOLVED, Act())
    clock.forward(hours=2)
    case.store.open(IncidentIn(title="new"))
    case.settle()
    with Session(case.store.engine) as session:
        assert list(session.scalars(select(Ticket.incident_id))) == [2]


@pytest.mark.parametrize(
    "given", [{"kind": "jira"}, {"kind": "webhook"}, {"kind": "github"}, {"kind": "jira", "url": "ftp://x"}]
)
def test_settings_that_are_not_whole_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TicketSettings.model_validate(given)


def test_a_token_comes_from_a_file_or_the_secrets_and_is_needed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")

    def itsm(**more: Any) -> Itsm | None:
        tickets = {"kind": "github", "project": "a/b", **more}
        with httpx.Client() as client:
            return itsm_of(Stack(Settings.model_validate({"state_dir": tmp_path, "tickets": tickets})), client)

    assert itsm(token_file=tmp_path / "token") is not None
    with pytest.raises(InvalidInput, match="needs a token"):
        itsm()
    with pytest.raises(InvalidInput, match="token_file"):
        itsm(token_file=tmp_path / "absent")
