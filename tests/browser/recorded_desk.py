"""The real desk and console over what a real drill recorded (docs/example-report), served without any engine.

What pages ask of engines is answered by doubles: the supervisor's rows, Prometheus, Nessie. Commands that a page
would start are only written down.
"""

import json
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from fastapi import FastAPI
from tests.conftest import serving
from tests.incidents.kept_jobs import STEP, keep_job

from lakeproof.console.app import add_console
from lakeproof.console.lake_look import AUDIT, FROZEN
from lakeproof.console.look import Firing, Look
from lakeproof.console.way import all_figures
from lakeproof.deadline import Deadline
from lakeproof.incidents.api import build_desk
from lakeproof.incidents.checklist import AnswerState
from lakeproof.incidents.database import open_database
from lakeproof.incidents.jobs import Jobs
from lakeproof.incidents.session import Sessions
from lakeproof.incidents.shapes import (
    Act,
    AnswerIn,
    EvidenceIn,
    IncidentIn,
    Lesson,
    MergeIn,
    Note,
    ReadingShape,
    RunbookReviewIn,
)
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.publish.commit import DatabaseState, properties_of
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

RECORDED = Path(__file__).parents[2] / "docs/example-report"
TOKEN = "a-token"
REVIEWED, OPEN, PART, OVERDUE = (f"INC-{number:06}" for number in range(1, 5))
SCENARIO = "replication-lag"


@dataclass
class Desk:
    """A desk that is served. started: the jobs that its pages started, as (kind, about, who)."""

    base: str
    app: FastAPI
    stack: Stack
    store: Store
    sessions: Sessions
    started: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def recorded_desk(folder: Path) -> Iterator[Desk]:
    """Serve it on a free port of loopback."""
    with ExitStack() as ends, pytest.MonkeyPatch.context() as patch:
        settings = Settings.model_validate({"state_dir": folder / "state", "secrets": {"desk-token": TOKEN}})
        stack = Stack(settings).at("prometheus", ends.enter_context(serving(_prometheus)))
        stack = stack.at("nessie", ends.enter_context(serving(_nessie)))
        engine = open_database(f"sqlite:///{folder / 'desk.sqlite'}")
        ends.callback(engine.dispose)
        clock = _Clock()
        store = Store(engine, clock)
        _record(stack, store, clock)
        app = build_desk(stack, store, lambda expression, labels, at: {})
        add_console(app, stack, store, look=_look_of(stack), first_wait=30.0)
        base = ends.enter_context(_served(app))
        desk = Desk(base, app, stack, store, Sessions(TOKEN, stack.name))

        def start(jobs: Jobs, kind: str, about: str, commands: Sequence[Sequence[str]], *, who: str) -> None:
            desk.started.append((kind, about, who))

        patch.setattr(Jobs, "start", start)
        yield desk


class _Clock:
    """The recorded time while what was recorded is written; then it goes on."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server, socket = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        Deadline(60).wait_for("the desk to listen", lambda: server.started or None, every=0.02)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


# What a real drill recorded, and what else a desk holds


def _record(stack: Stack, store: Store, clock: _Clock) -> None:
    folder = stack.reports_dir / f"{SCENARIO}-20261125-194309"
    shutil.copytree(RECORDED, folder)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    (folder / "report.json").write_text(json.dumps(report | {"incident": REVIEWED}))
    _record_drill(store, clock)
    now = datetime.now(UTC)
    clock.at = now - timedelta(minutes=3)
    store.receive(_told("TrinoQueuedQueriesHigh", "trino", "trino-backlog", "firing", clock.at, "7 queries wait"))
    body = {"probe": {"case": 17, "timeline": [{"source": "order", "seconds": 0.02}], "complete": True}}
    store.attach(OPEN, EvidenceIn(who="an", kind="probe", title="make support-probe", body=body))
    store.open(IncidentIn(title="prices are old", team="kafka", severity="warning", service="redis", who="an"))
    store.merge(PART, MergeIn(into=OPEN, who="an", text="the same queries"))
    clock.at = now - timedelta(hours=3)
    path = "/srv/a-folder-with-a-name-that-no-browser-can-break-anywhere/" + "x" * 60
    store.open(IncidentIn(title=f"no room left in {path}", team="infrastructure", severity="critical"))
    clock.at = None
    store.escalate_due()
    store.review_page(RunbookReviewIn(page=SCENARIO, who="an", text="the second step was clearer before"))
    proposal = keep_job(stack, "propose", OPEN, lines='{"looked": true}\nproposed 1 step\n', at=now)
    risk = {"level": "medium", "en": "one query ends", "vi": "một truy vấn bị dừng"}
    (proposal / "0.json").write_text(json.dumps([STEP | {"risk": risk}]))
    (proposal / "end.json").write_text('{"code": 0}')
    drill = keep_job(stack, "drill", SCENARIO, lines="detect: CdcReplicationLagHigh fires\n", at=now)
    (drill / "end.json").write_text('{"code": 0}')
    log = stack.log_path("connect")
    log.parent.mkdir(parents=True)
    log.write_text("[2026-11-25 19:44:05,211] INFO connector orders paused (org.apache.kafka.connect)\n" * 30)


def _record_drill(store: Store, clock: _Clock) -> None:
    """The incident of that drill, written as the desk wrote it then: alert, diagnosis, repair, proof, RCA, lesson."""
    report = json.loads((RECORDED / "report.json").read_text(encoding="utf-8"))
    journal = json.loads((RECORDED / "journal.json").read_text(encoding="utf-8"))
    rca = (RECORDED / "report.md").read_text(encoding="utf-8").partition("\n---\n")[2].strip()
    diagnosis = next(each["facts"]["diagnosis"] for each in journal if "diagnosis" in each.get("facts", {}))
    day = report["phases"][0]["started_at"][:10]
    times = {
        what: datetime.fromisoformat(f"{day}T{at}Z")
        for at, what in re.findall(r"^\| (\d\d:\d\d:\d\d) \| \S+ \| (\w+)", rca, re.M)
    }
    alert = (report["alerts"][0]["name"], "connect", SCENARIO)
    clock.at = times["opened"]
    title = "Change capture through connector orders is 40854 ms behind its source database"
    store.receive(_told(*alert, "firing", clock.at, title, "kafka_connect_source_task_lag_millis", 40853.8))
    published = ReadingShape(
        probe="published_hash", value=report["nessie"]["before"], at=clock.at, source="nessie", query="main"
    )
    store.keep_moments([(REVIEWED, {"published": published}, ["fraud-detection", "inventory-360"])])
    clock.at = times["acknowledged"]
    store.move(REVIEWED, Status.ACKNOWLEDGED, Act(who="drill", text="taken by a drill"))
    clock.at = times["diagnosis"]
    shape = ReadingShape.model_fields
    readings = [{key: one[key] for key in shape if key in one} for one in report["evidence"]]
    calm = {"probe": "nessie-ready", "value": True, "at": clock.at, "source": "nessie", "query": "GET /q/health"}
    evidence = {"kind": "diagnosis", "title": "diagnosis", "body": diagnosis, "readings": [*readings, calm]}
    store.attach(REVIEWED, EvidenceIn.model_validate(evidence | {"who": "drill"}))
    clock.at = times["mitigating"]
    store.move(REVIEWED, Status.MITIGATING, Act(who="drill", text=report["mitigations"][0]["action"]))
    store.note(REVIEWED, Note(who="drill", text=report["mitigations"][0]["text"], kind="action"))
    clock.at = times["verifying"]
    store.receive(_told(*alert, "resolved", times["opened"], title))
    clock.at = times["verification"]
    verdicts = {one["check"]: f"{one['outcome']}: {one['summary']}" for one in report["checks"]}
    store.attach(REVIEWED, EvidenceIn(who="drill", kind="verification", title="verification", body=verdicts))
    clock.at = times["resolved"]
    store.move(REVIEWED, Status.RESOLVED, Act(who="drill", text="every claim was verified"))
    store.keep_rca(REVIEWED, rca, who="drill", root_cause=report["root_cause"])
    store.learn(REVIEWED, Lesson(who="an", text="an alert on the connector's own paused state"))
    done = AnswerIn(who="an", item="cross_check", state=AnswerState.DONE, text="Trino and MariaDB agree")
    store.answer(REVIEWED, done)


def _told(
    name: str,
    component: str,
    scenario: str,
    status: str,
    since: datetime,
    says: str,
    metric: str = "",
    value: float = 0.0,
) -> Notification:
    """An alert as Alertmanager's webhook brings it."""
    ends = {"endsAt": (since + timedelta(seconds=9)).isoformat()} if status == "resolved" else {}
    labels = {"alertname": name, "severity": "high", "team": "data-platform", "scenario": scenario}
    notes = {"summary_en": says, "summary_vi": says, "runbook_url": f"/runbook/{scenario}"}
    alert = {
        "status": status,
        "labels": labels | {"component": component},
        "annotations": notes | ({"metric": metric, "value": str(value)} if metric else {}),
        "startsAt": since.isoformat(),
        "fingerprint": name.encode().hex()[:16],
        **ends,
    }
    return Notification.model_validate({"version": "4", "status": status, "alerts": [alert]})


# What engines would answer


STATES: dict[str, tuple[State, Health, str]] = {
    "trino": (State.RUNNING, Health.UNHEALTHY, "no answer to GET /v1/info"),
    "redis": (State.PAUSED, Health.UNHEALTHY, "its process is stopped"),
    "kafka": (State.RUNNING, Health.STARTING, ""),
    "cassandra-node3": (State.EXITED, Health.NONE, "ended with code 1"),
    "mail-sink": (State.STOPPED, Health.NONE, ""),
}
NOT_STARTED = {"spark", "grafana", "loki"}


def _look_of(stack: Stack) -> Any:
    parts = {}
    for name, component in all_components().items():
        if name in NOT_STARTED:
            continue
        state, health, reason = STATES.get(name, (State.RUNNING, Health.HEALTHY, ""))
        endpoints = {kind: f"127.0.0.1:{port}" for kind, port in component.ports.items()}
        pid = 4711 if state in (State.RUNNING, State.PAUSED) else None
        log = str(stack.log_path(name))
        parts[name] = ProcessRow(name, state, health, pid, 90 * 2**20, 2.4, 1, 7.5, endpoints, log, reason)
    figures = {one.id: 12.5 for one in all_figures() if one.id != "messages"}
    firing = Firing(
        "TrinoQueuedQueriesHigh",
        "firing",
        "high",
        "trino",
        "/runbook/trino-backlog",
        datetime.now(UTC) - timedelta(minutes=3),
        {"en": "7 queries wait", "vi": "7 truy vấn đang chờ"},
    )

    def look() -> Look:
        return Look(datetime.now(UTC), parts, figures, (firing,), ("Prometheus: no answer within 2 s",))

    return look


def _prometheus(method: str, path: str, body: bytes) -> tuple[int, object]:
    """Two series for each question, MariaDB's and PostgreSQL's, so that every panel has something to draw."""
    parts = urlsplit(path)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query = asked.get("query", "")
    ranged = parts.path.endswith("query_range")
    if AUDIT in query:
        result = [
            {"metric": {"__name__": AUDIT}, "value": [0, str(datetime.now(UTC).timestamp() - 40)]},
            {"metric": {"__name__": FROZEN, "database": "shop"}, "value": [0, "1"]},
            {
                "metric": {
                    "__name__": "lakeproof_publish_full_audits_total",
                    "database": "oltp",
                    "outcome": "passed",
                },
                "value": [0, "7"],
            },
            {
                "metric": {
                    "__name__": "lakeproof_publish_full_audits_total",
                    "database": "oltp",
                    "outcome": "failed",
                },
                "value": [0, "1"],
            },
        ]
    else:
        pairs = (("oltp", "kafka", 3.2), ("shop", "connect", 2000.0))
        metrics = [({"database": name, "component": part, "job": part}, value) for name, part, value in pairs]
        result = [{"metric": metric, "value": [0, str(value)]} for metric, value in metrics]
        if ranged:
            start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
            times = [start + step * number for number in range(int((end - start) / step) + 1)]
            result = [
                {"metric": metric, "values": [[at, str(value + at % 60)] for at in times]}
                for metric, value in metrics
            ]
    return 200, {"status": "success", "data": {"resultType": "matrix" if ranged else "vector", "result": result}}


def _nessie(method: str, path: str, body: bytes) -> tuple[int, object]:
    """Three branches with a history of published states."""
    parts = urlsplit(path).path.split("/trees")[1]
    if not parts:
        names = ("main", "ingest", "backup")
        return 200, {"references": [{"type": "BRANCH", "name": name, "hash": _hash(40)} for name in names]}
    now = datetime.now(UTC)
    entries = []
    for number in range(40, 0, -1):
        at = now - timedelta(seconds=2 + 40 * (40 - number))
        beat = int(at.timestamp() * 1e6)
        states = {
            database: DatabaseState(
                number, f"0-1-{number}", beat, {table: number * 7 for table in table_names(database)}, at
            )
            for database in ("oltp", "shop")
        }
        every = {key: [value] for key, value in properties_of(states, "oltp").items()}
        meta = {"hash": _hash(number), "commitTime": at.isoformat(), "message": "publish", "allProperties": every}
        entries.append({"commitMeta": meta | {"authors": ["lakeproof"]}, "parentCommitHash": _hash(number - 1)})
    return 200, {"logEntries": entries, "hasMore": False}


def _hash(number: int) -> str:
    return f"{number:02x}" * 32


def routes_of(app: FastAPI) -> list[tuple[str, re.Pattern[str]]]:
    """Every address that a browser may be led to: its pattern, as written and to match paths with."""
    found = []
    for route in app.routes:
        path, methods = getattr(route, "path", ""), getattr(route, "methods", None) or set()
        if "GET" in methods and not path.startswith(("/api/", "/metrics", "/health", "/openapi")):
            found.append((path, cast("re.Pattern[str]", route.path_regex)))  # type: ignore[attr-defined]
    return found
