"""The desk's pages: the list, an incident, the runbook, who is on call, and the forms by which a person acts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from zlib import crc32

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from lakeproof.errors import InvalidInput
from lakeproof.incidents.acts import CHECK, PROPOSE, REPAIR, deeds_of, require_confirmed, why_not
from lakeproof.incidents.documents import causes_of, healthy_of, title_in, unknown_of, verdicts_of
from lakeproof.incidents.drill_cards import DrillCard, DrillCards
from lakeproof.incidents.footnotes import format_time, shown
from lakeproof.incidents.jobs import Jobs
from lakeproof.incidents.markdown import render_markdown
from lakeproof.incidents.memory import NoSuchIncident, number_of
from lakeproof.incidents.session import SESSION_SECONDS, Session, Sessions, Tries
from lakeproof.incidents.shapes import IncidentOut, RunbookReviewIn
from lakeproof.incidents.status import FOLLOWS, ONGOING, STEPS, Status
from lakeproof.incidents.store import Store
from lakeproof.observability.routes import all_routes
from lakeproof.observability.runbook import PREFIX, all_runbooks, find_runbook
from lakeproof.observability.scenario_homes import find_scenario
from lakeproof.observability.teams import all_teams
from lakeproof.pages.page import Pages, language_of
from lakeproof.stack.stack import Stack
from lakeproof.use_cases.use_case import use_cases

DRILL = "drill"
LISTED, UNREVIEWED_SHOWN = 200, 20
SIGN_INS, SIGN_IN_SECONDS = 10, 60.0


class DeskPages:
    """What every page of the desk is made of."""

    def __init__(self, stack: Stack, store: Store, sessions: Sessions) -> None:
        self.stack, self.store, self.sessions = stack, store, sessions
        self.jobs = Jobs(stack)
        self.cards = DrillCards(stack.reports_dir)
        self.folders = stack.settings.scenario_dirs
        self.tries = Tries(SIGN_INS, SIGN_IN_SECONDS)
        self._pages = Pages("lakeproof.incidents")
        self._pages.templates.filters |= {
            "time": lambda at: format_time(at) if at else "",
            "markdown": render_markdown,
            "shown": shown,
            "causes": causes_of,
            "unknown": unknown_of,
            "healthy": healthy_of,
            "verdicts": verdicts_of,
            "title_in": title_in,
            "why_not": why_not,
            "incident_of": self.incident_of,
            "fingerprint": fingerprint_of,
            "minutes": lambda span: int(span.total_seconds() // 60),
            "seconds": lambda value: "" if value is None else f"{value:.1f} s",
        }

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, with who is signed in and the tokens for its forms."""
        session: Session | None = request.state.session

        def csrf(path: str) -> str:
            return self.sessions.form_token(session, path) if session is not None else ""

        values = {"problem": "", "prefix": PREFIX} | values
        return self._pages.render(request, template, status, session=session, csrf=csrf, **values)

    def incident(self, request: Request, name: str, status: int = 200, problem: str = "") -> HTMLResponse:
        """An incident's page."""
        incident = self.store.get(name)
        others = [one for one in self.store.ongoing() if one.id != incident.id]
        jobs = {kind: self.jobs.newest(kind, incident.id) for kind in (PROPOSE, REPAIR, CHECK)}
        return self.render(
            request,
            "incident.html",
            status,
            found_at=f"/incidents/{incident.id}",
            incident=incident,
            problem=problem,
            has_runbook=find_runbook(incident.scenario, language_of(request), self.folders) is not None,
            others=others[::-1],
            possible=FOLLOWS[incident.status],
            steps=list(STEPS.values()),
            jobs=jobs,
            use_cases=use_cases(),
            seen=fingerprint_of(incident),
            at=datetime.now(UTC),
        )

    def incident_of(self, card: DrillCard) -> str:
        """The id of the incident that this drill caused; "" where this desk has none.

        A report of another desk may name the same id, so the incident must have been opened during the drill.
        """
        try:
            number = number_of(card.incident)
            found = self.store.newest_first(most=1, before=str(number + 1))
        except NoSuchIncident:
            return ""
        same = [one for one in found if number_of(one.id) == number and card.at <= one.opened_at <= card.until]
        return same[0].id if same else ""


def fingerprint_of(incident: IncidentOut) -> str:
    """A checksum of what an incident's page shows but does not refresh by itself."""
    answered = [line.state for line in incident.checklist]
    alerts = [(alert.name, alert.status) for alert in incident.alerts]
    documents = [document.id for document in incident.evidence]
    texts = (incident.lesson, incident.rca, incident.merged_into, incident.parts, incident.moment is None)
    return f"{crc32(repr((incident.status, alerts, documents, answered, texts)).encode()):08x}"


def add_pages(app: FastAPI, stack: Stack, store: Store, sessions: Sessions) -> None:
    """Add `/incidents`, `/incidents/ID`, `/runbook`, `/runbook/NAME`, `/oncall`, `/signin`, and their forms."""
    pages = DeskPages(stack, store, sessions)
    _add_incidents(app, pages)
    _add_runbook(app, pages)
    _add_sign_in(app, pages)

    @app.get("/oncall", response_class=HTMLResponse, include_in_schema=False)
    def show_on_call(request: Request) -> HTMLResponse:
        """Who is asked for what, and what waits for whom."""
        rows, counts = store.ongoing(), store.count_by_status()
        return pages.render(
            request,
            "oncall.html",
            teams=list(all_teams().values()),
            routes=all_routes(),
            waiting=sorted((one for one in rows if one.status is Status.OPEN), key=lambda one: one.acknowledge_by),
            worked=[one for one in rows[::-1] if one.status is not Status.OPEN],
            unreviewed=store.unreviewed(most=UNREVIEWED_SHOWN),
            how_many={
                "waiting": counts[Status.OPEN],
                "worked": sum(counts[one] for one in ONGOING - {Status.OPEN}),
                "unreviewed": counts[Status.RESOLVED],
            },
            at=datetime.now(UTC),
        )


def _add_incidents(app: FastAPI, pages: DeskPages) -> None:
    deeds = deeds_of(pages.store, pages.jobs)

    @app.get("/incidents", response_class=HTMLResponse, include_in_schema=False)
    def show_list(request: Request, status: Status | None = None, before: str = "") -> HTMLResponse:
        """All incidents, newest first, a page at a time: with `before`, those that are older than that one."""
        found = pages.store.newest_first(status, most=LISTED + 1, before=before)
        shown = found[:LISTED]
        older = {"status": status.value if status else None, "before": shown[-1].id} if len(found) > LISTED else {}
        return pages.render(
            request,
            "list.html",
            incidents=shown,
            total=pages.store.count(status),
            older=urlencode({name: value for name, value in older.items() if value}),
            statuses=list(Status),
            chosen=status,
        )

    @app.get("/incidents/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_incident(request: Request, name: str) -> HTMLResponse:
        """One incident."""
        return pages.incident(request, name)

    @app.get("/incidents/{name}/live/{part}", response_class=HTMLResponse, include_in_schema=False)
    def show_part(request: Request, name: str, part: str) -> HTMLResponse:
        """A part of the page that is looked at again every few seconds: head, timeline, or a job of that kind."""
        if part in (PROPOSE, REPAIR, CHECK):
            incident = pages.store.get(name)
            job = pages.jobs.newest(part, incident.id)
            return pages.render(request, "_job.html", job=job, kind=part, about=incident.id, base="/incidents/")
        if part not in ("head", "timeline"):
            raise NoSuchIncident(f"{name}/live/{part}")
        incident = pages.store.get(name)
        steps, seen = list(STEPS.values()), request.query_params.get("seen", "")
        return pages.render(request, f"_{part}.html", incident=incident, steps=steps, seen=seen, at=datetime.now(UTC))

    @app.post("/incidents/{name}/{deed}", include_in_schema=False)
    def act(request: Request, name: str, deed: str) -> Response:
        """A form of an incident's page."""
        if deed not in deeds:
            raise NoSuchIncident(f"{name}/{deed}")
        form, session = request.state.form, request.state.session

        def do() -> Response:
            deeds[deed](name, form, session.who)
            return RedirectResponse(f"/incidents/{pages.store.get(name).id}", 303)

        return _or_say_why(do, lambda status, why: pages.incident(request, name, status, why))


def _add_runbook(app: FastAPI, pages: DeskPages) -> None:
    @app.get(PREFIX.rstrip("/"), response_class=HTMLResponse, include_in_schema=False)
    def show_runbooks(request: Request) -> HTMLResponse:
        """Every page of the runbook, with the last drill of each scenario."""
        found = all_runbooks(pages.folders, language_of(request))
        drilled = {name for name, _ in found if find_scenario(name, pages.folders) is not None}
        return pages.render(request, "runbooks.html", runbooks=found, scenarios=drilled, cards=pages.cards.newest())

    def runbook(request: Request, name: str, status: int = 200, problem: str = "") -> HTMLResponse:
        text = find_runbook(name, language_of(request), pages.folders)
        known = find_scenario(name, pages.folders) is not None
        return pages.render(
            request,
            "runbook.html",
            404 if text is None else status,
            found_at=f"{PREFIX}{quote(name, safe='')}",
            name=name,
            text=text,
            problem=problem,
            scenario=known,
            card=pages.cards.newest().get(name) if known else None,
            lessons=pages.store.lessons(name) if known else [],
            review=next((one for one in pages.store.history().reviews if one.page == name), None),
            job=pages.jobs.newest(DRILL),
        )

    @app.get(PREFIX + "{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_runbook(request: Request, name: str) -> HTMLResponse:
        """What an alert's runbook_url points to."""
        return runbook(request, name)

    @app.get(PREFIX + "{name}/live/drill", response_class=HTMLResponse, include_in_schema=False)
    def show_drill(request: Request, name: str) -> HTMLResponse:
        """The drill that runs, or ran last, whichever page asks."""
        job = pages.jobs.newest(DRILL)
        return pages.render(request, "_job.html", job=job, kind=DRILL, about=name, base=PREFIX)

    @app.post(PREFIX + "{name}/{deed}", include_in_schema=False)
    def act(request: Request, name: str, deed: str) -> Response:
        """Drill it now, or keep that the page was reviewed."""
        form, session = request.state.form, request.state.session

        def do() -> Response:
            if deed == DRILL and find_scenario(name, pages.folders) is not None:
                require_confirmed(form, name)
                pages.jobs.start(DRILL, name, [("drill", name)], who=session.who)
            elif deed == "reviewed" and find_runbook(name, "en", pages.folders) is not None:
                pages.store.review_page(RunbookReviewIn(page=name, who=session.who, text=form.get("text", "")))
            else:
                raise InvalidInput("no such page or form", where=f"{name}/{deed}", next_action=f"see {PREFIX}")
            return RedirectResponse(f"{PREFIX}{name}", 303)

        return _or_say_why(do, lambda status, why: runbook(request, name, status, why))


def _add_sign_in(app: FastAPI, pages: DeskPages) -> None:
    @app.get("/signin", response_class=HTMLResponse, include_in_schema=False)
    def show_sign_in(request: Request, next: str = "/incidents") -> HTMLResponse:
        """The form that takes the token."""
        return pages.render(request, "signin.html", next=_own_path(next))

    @app.post("/signin", include_in_schema=False)
    def sign_in(request: Request) -> Response:
        """Gives the cookie to whoever brings the token. After ten wrong ones each wrong one gets 429, late.

        The right token always passes: else any local process could keep everybody out of the pages.
        """
        form = request.state.form
        path = _own_path(form.get("next", ""))
        if not pages.sessions.is_token(form.get("token", "")):
            wait = pages.tries.wait_seconds()
            if not wait:
                pages.tries.count_wrong()
            late = "That is not the token either. Each further wrong one is answered late."
            status, why = (429, late) if wait else (401, "That is not the token.")
            here = f"/signin?{urlencode({'next': path})}"
            again = pages.render(request, "signin.html", status, found_at=here, next=path, problem=why)
            if wait:
                again.headers["Retry-After"] = str(wait)
            return again
        answer = RedirectResponse(path, 303)
        cookie = pages.sessions.start(form.get("who", ""))
        answer.set_cookie(pages.sessions.cookie, cookie, max_age=SESSION_SECONDS, httponly=True, samesite="strict")
        return answer

    @app.post("/signout", include_in_schema=False)
    def sign_out() -> Response:
        """The browser forgets the cookie."""
        answer = RedirectResponse("/incidents", 303)
        answer.delete_cookie(pages.sessions.cookie, httponly=True, samesite="strict")
        return answer


def _own_path(given: str) -> str:
    """`given` where it is a path of this desk; the list of incidents where it might lead to another site."""
    fine = given.startswith("/") and not given.startswith("//") and given.isprintable() and "\\" not in given
    return given if fine and len(given) < 500 else "/incidents"


def _or_say_why(do: Callable[[], Response], page: Callable[[int, str], Response]) -> Response:
    """What `do` gives, or the page again with the reason why it was not done."""
    try:
        return do()
    except NoSuchIncident:
        raise
    except InvalidInput as error:
        return page(409, f"{error.where}: {error.what}. {error.next_action}".strip())
    except ValidationError as error:
        first = error.errors()[0]
        return page(422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
