"""The incident desk over HTTP: webhook, incidents, pages. The console runs it (console/app.py)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from lakeproof.errors import InvalidInput
from lakeproof.incidents import pages
from lakeproof.incidents.client import OLDER
from lakeproof.incidents.database import database_url, open_database
from lakeproof.incidents.desk_metrics import DeskMetrics
from lakeproof.incidents.escalation import Look, ReadActive, Watch
from lakeproof.incidents.guard import WEBHOOK_PATH, Guard, known_hosts
from lakeproof.incidents.memory import NoSuchIncident
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.rounds import Rounds, stop_all
from lakeproof.incidents.self_check import StackLook
from lakeproof.incidents.session import Sessions
from lakeproof.incidents.shapes import (
    Act,
    AnswerIn,
    EvidenceIn,
    History,
    IncidentIn,
    IncidentOut,
    IncidentRow,
    Lesson,
    LessonOut,
    MergeIn,
    Note,
    Owner,
    RcaIn,
    ReadingShape,
    RunbookReviewIn,
    RunbookReviewOut,
)
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.tickets.keeping import Keeping, itsm_of
from lakeproof.incidents.use_cases import find_use_cases
from lakeproof.incidents.webhook import Notification
from lakeproof.observability.drill_windows import timing_now
from lakeproof.observability.moment import Looker
from lakeproof.observability.reload import give_back_abandoned
from lakeproof.pages.refusals import Refusals
from lakeproof.pages.static_files import add_static_files
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

FULL = ("disk is full", "disk full", "no space left", "readonly", "read-only", "disk I/O error", "unable to open")

# An alert that Alertmanager has not known for this long counts as ended. Prometheus has to be faster to tell it again
# what fires: ours takes 10 s, somebody else's usually a minute.
LOST_AFTER = {"local": timedelta(seconds=30), "external": timedelta(seconds=150)}
# At most this many webhooks hold a thread at a time; the database takes them in one after the other anyway. All
# webhooks of a storm at once would hold every thread of the desk, and neither a page nor the health question would be
# answered until the last webhook was in.
WEBHOOKS_AT_ONCE = 4
# How long after its last alert cleared an incident takes in new ones (store.Store). It is short in drill windows: a
# drill may begin soon after another one that was cut off and left its incident open.
REJOIN = {"drill": timedelta(seconds=20), "production": timedelta(minutes=10)}


def look_with(stack: Stack) -> Look:
    """Looks up the moment of an incident on that stack."""
    looker = Looker(stack)

    def look(expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> Mapping[str, ReadingShape]:
        found = looker.look(expression, alerts, at)
        return {name: ReadingShape.model_validate(asdict(reading)) for name, reading in found.items()}

    return look


def open_store(stack: Stack) -> Store:
    """The stack's incidents. Raises: InvalidInput, TerminalError."""
    return Store(open_database(database_url(stack)), rejoin=lambda: REJOIN[timing_now(stack)])


def build_desk(
    stack: Stack,
    store: Store | None = None,
    look: Look | None = None,
    read_active: ReadActive | None = None,
    stack_look: StackLook | None = None,
) -> FastAPI:
    """The desk of a stack. `store` takes the place of its database; `look`, `read_active` and `stack_look` that of
    the desk's questions to the stack.

    Raises: InvalidInput where the settings of the tickets cannot be used.
    """
    if store is None:
        store = open_store(stack)
    metrics = DeskMetrics(store.count_by_status, store.overdue)
    watch = Watch(
        store,
        look or look_with(stack),
        lambda scenario: find_use_cases(scenario, stack.settings.scenario_dirs),
        escalated=lambda incident: metrics.escalated.inc(),
        read_active=read_active,
        lost_after=LOST_AFTER[stack.settings.mode],
        give_back_windows=lambda: give_back_abandoned(stack),
        stack_look=stack_look,
    )
    itsm_client = httpx.Client()  # its calls leave this machine, so the environment's proxies are used
    itsm = itsm_of(stack, itsm_client)
    tickets = Keeping(store, itsm, stack.name, f"{stack.url('desk')}/incidents/") if itsm is not None else None
    rounds = [watch.rounds] if tickets is None else [watch.rounds, tickets.rounds]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for each in rounds:
            each.start()
        yield
        stop_all(rounds)
        itsm_client.close()

    sessions = Sessions(stack.secret("desk-token"), stack.name)
    guard = Middleware(Guard, sessions=sessions, hosts=known_hosts(stack))
    app = FastAPI(
        title="Lakeproof incident desk",
        lifespan=lifespan,
        middleware=[Middleware(Refusals), guard],
        docs_url=None,  # FastAPI's own pages load scripts of another host, on the origin of the session's cookie
        redoc_url=None,
    )
    _add_errors(app, metrics)
    _add_incidents(app, store, watch)
    _add_changes(app, store)
    _add_runbook(app, store)
    _add_documents(app, store)
    _add_webhook(app, store, watch)
    add_static_files(app)
    pages.add_pages(app, stack, store, sessions)
    _add_health_and_metrics(app, store, rounds, metrics)
    return app


def _add_health_and_metrics(app: FastAPI, store: Store, rounds: Sequence[Rounds], metrics: DeskMetrics) -> None:
    @app.get("/health")
    def health() -> Response:
        """200 while the database answers and the desk's own rounds go on; else 503 and why."""
        try:
            store.check()
        except SQLAlchemyError as error:
            return JSONResponse({"status": "down", "database": str(error).splitlines()[0]}, 503)
        if hung := {each.name: trouble for each in rounds if (trouble := each.trouble())}:
            return JSONResponse({"status": "down", **hung}, 503)
        return JSONResponse({"status": "ok", "database": "ok"})

    @app.get("/metrics")
    def read_metrics() -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _add_webhook(app: FastAPI, store: Store, watch: Watch) -> None:
    taken_in = asyncio.Semaphore(WEBHOOKS_AT_ONCE)

    @app.post(WEBHOOK_PATH)
    async def receive(notification: Notification) -> dict[str, Any]:
        """Alertmanager's webhook, version 4. 200 only once every alert is on disk."""
        async with taken_in:
            received = await run_in_threadpool(store.receive, notification)
        if notification.truncatedAlerts:
            log.warning("Alertmanager left out %d alerts of a group", notification.truncatedAlerts)
        watch.rounds.hurry()
        return asdict(received)


def _add_incidents(app: FastAPI, store: Store, watch: Watch) -> None:
    @app.get("/api/incidents")
    def newest_first(
        response: Response, status: Status | None = None, most: int = 200, before: str = ""
    ) -> list[IncidentRow]:
        """Incidents, newest first; those older than `before`. A header says how many older ones are left out."""
        rows = store.newest_first(status, most=max(1, min(most, 1000)), before=before)
        response.headers[OLDER] = str(store.count(status, before=rows[-1].id) if rows else 0)
        return rows

    @app.post("/api/incidents", status_code=201)
    def open_incident(given: IncidentIn) -> IncidentOut:
        """Open an incident by hand."""
        incident = store.open(given)
        watch.rounds.hurry()
        return incident

    @app.get("/api/incidents/{name}")
    def get(name: str) -> IncidentOut:
        """One incident, with its alerts, timeline and evidence."""
        return store.get(name)

    # Where the link of an alert's message leads: Alertmanager knows the alert's fingerprint, but not its incident.
    @app.get("/alerts/{fingerprint}", include_in_schema=False)
    def lead_to_incident(fingerprint: str) -> RedirectResponse:
        """To the newest incident with that alert. Raises: NoSuchIncident."""
        incident = store.incident_of(fingerprint)
        if incident is None:
            raise NoSuchIncident(f"of the alert {fingerprint[:64]}")
        return RedirectResponse(f"/incidents/{incident}", 302)


def _add_changes(app: FastAPI, store: Store) -> None:
    def add_move(path: str, status: Status) -> None:
        def move(name: str, act: Act | None = None) -> IncidentOut:
            return store.move(name, status, act or Act())

        move.__doc__ = f"Set the incident's status to {status.value}."
        app.post(f"/api/incidents/{{name}}/{path}", name=path)(move)

    add_move("ack", Status.ACKNOWLEDGED)
    add_move("mitigate", Status.MITIGATING)
    add_move("verify", Status.VERIFYING)
    add_move("resolve", Status.RESOLVED)
    add_move("review", Status.REVIEWED)

    @app.post("/api/incidents/{name}/note")
    def note(name: str, given: Note) -> IncidentOut:
        """Add a line to the incident's timeline."""
        return store.note(name, given)

    @app.post("/api/incidents/{name}/own")
    def own(name: str, given: Owner) -> IncidentOut:
        """Set who owns the incident."""
        return store.give(name, given)

    @app.post("/api/incidents/{name}/lesson")
    def learn(name: str, given: Lesson) -> IncidentOut:
        """Write down the lesson learned."""
        return store.learn(name, given)

    @app.post("/api/incidents/{name}/checklist")
    def answer(name: str, given: AnswerIn) -> IncidentOut:
        """Answer an item of the checklist."""
        return store.answer(name, given)

    @app.post("/api/incidents/{name}/merge")
    def merge(name: str, given: MergeIn) -> IncidentOut:
        """Make the incident a part of another one. Gives that other one."""
        return store.merge(name, given)

    @app.post("/api/incidents/{name}/unmerge")
    def unmerge(name: str, given: Act | None = None) -> IncidentOut:
        """Take the incident out of the one that it is a part of. Gives the incident."""
        return store.unmerge(name, given or Act())


def _add_runbook(app: FastAPI, store: Store) -> None:
    @app.get("/api/lessons")
    def lessons(scenario: str = "", most: int = 50) -> list[LessonOut]:
        """What was learnt, newest first."""
        return store.lessons(scenario[:128], most=max(1, min(most, 1000)))

    @app.get("/api/runbook/history")
    def history() -> History:
        """When alerts, incidents and reviews came last."""
        return store.history()

    @app.post("/api/runbook/reviews", status_code=201)
    def review_page(given: RunbookReviewIn) -> RunbookReviewOut:
        """A page of the runbook was reviewed."""
        return store.review_page(given)


def _add_documents(app: FastAPI, store: Store) -> None:
    @app.post("/api/incidents/{name}/evidence")
    def attach(name: str, given: EvidenceIn) -> IncidentOut:
        """Attach JSON, at most 1 MiB and 64 levels deep."""
        return store.attach(name, given)

    @app.post("/api/incidents/{name}/rca")
    def write_rca(name: str, given: RcaIn | None = None) -> dict[str, str]:
        """Draft the RCA and keep it, or keep the text given."""
        asked = given or RcaIn()
        markdown = asked.markdown or draft_rca(store.get(name), root_cause=asked.root_cause)
        store.keep_rca(name, markdown, who=asked.who, root_cause=asked.root_cause)
        return {"markdown": markdown}

    @app.get("/api/incidents/{name}/rca", response_class=PlainTextResponse)
    def read_rca(name: str) -> Response:
        """The kept RCA, else a draft of now that is not kept."""
        incident = store.get(name)
        return PlainTextResponse(incident.rca or draft_rca(incident), media_type="text/markdown; charset=utf-8")


def _add_errors(app: FastAPI, metrics: DeskMetrics) -> None:
    def answer(status: int, what: str, next_action: str = "", **more: Any) -> JSONResponse:
        return JSONResponse({"error": what, "next": next_action, **more}, status)

    @app.exception_handler(NoSuchIncident)
    def no_such_incident(request: Request, error: NoSuchIncident) -> Response:
        return answer(404, f"{error.where}: {error.what}", error.next_action)

    @app.exception_handler(InvalidInput)
    def invalid(request: Request, error: InvalidInput) -> Response:
        return answer(409, f"{error.where}: {error.what}", error.next_action)

    @app.exception_handler(RequestValidationError)
    def nonsense(request: Request, error: RequestValidationError) -> Response:
        if request.url.path == WEBHOOK_PATH:
            metrics.refused.inc()
        details = [
            {"where": ".".join(str(part) for part in one["loc"]), "what": one["msg"]} for one in error.errors()[:20]
        ]
        first = details[0]
        return answer(422, f"{first['where']}: {first['what']}", "correct it and send it again", details=details)

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        said = str(error.orig)
        if isinstance(error, DataError):  # a value that the database's types do not take: a zero byte in PostgreSQL
            return answer(422, f"nothing was written: {said}", "correct it and send it again")
        log.error("%s %s was not kept: %s", request.method, request.url.path, said)
        if any(word in said for word in FULL):
            return answer(507, f"nothing was written: {said}", "make room on the desk's disk and send it again")
        if "locked" in said:
            return answer(503, f"nothing was written: {said}", "send it again")
        return answer(500, f"nothing was written: {said}", "read the desk's log")
