"""A desk without engines: its store in a folder of its own, a clock that the test sets, answers made up."""

import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from tests.incidents import itsm_servers
from tests.incidents.ticket_case import KINDS, Case

from lakeproof.incidents.api import build_desk
from lakeproof.incidents.database import open_database
from lakeproof.incidents.intake import Received
from lakeproof.incidents.shapes import ReadingShape
from lakeproof.incidents.store import Store
from lakeproof.incidents.tickets.keeping import itsm_of
from lakeproof.incidents.webhook import Notification
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

with warnings.catch_warnings():
    # Starlette asks for another client than the one that the rest of Lakeproof uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

# One alert, or one notification of alerts, as Alertmanager writes it.
type Make = Callable[..., dict[str, Any]]
type Receive = Callable[..., Received]

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOKEN = "a-token"


class Clock:
    """Time that stands still until told."""

    def __init__(self) -> None:
        self.now = START
        self._elapsed = timedelta()

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """Seconds that went by, whatever the clock on the wall was set to."""
        return self._elapsed.total_seconds()

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)
        self._elapsed += timedelta(**amount)

    def set(self, **amount: float) -> None:
        """As somebody sets the clock on the wall by that much, back where it is negative: no time goes by."""
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """SQLite in a file; with DESK_TEST_URL (tests/engines/test_desk_postgres.py) a schema of its own there."""
    server = os.environ.get("DESK_TEST_URL")
    if server is None:
        engine = open_database(f"sqlite:///{tmp_path / 'desk.sqlite'}")
        yield engine
        engine.dispose()
        return
    schema = f"t{uuid.uuid4().hex}"
    admin = create_engine(server)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine = open_database(f"{server}?options=-csearch_path%3D{schema}")
    yield engine
    engine.dispose()
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture
def store(engine: Engine, clock: Clock) -> Store:
    return Store(engine, clock)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings.model_validate({"state_dir": tmp_path / "state", "secrets": {"desk-token": TOKEN}}))


def look(expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> Mapping[str, ReadingShape]:
    """As if Prometheus and Nessie answered and the job did not."""
    return {
        "violation": ReadingShape(probe="violation", value=45000.0, at=at, source="prometheus", query=expression),
        "published": ReadingShape(probe="published_hash", value="ab12cd", at=at, source="nessie", query="main"),
        "checkpoint": ReadingShape(probe="checkpoint", at=at, source="job", query="GET /jobs", error="refused"),
    }


@pytest.fixture
def client(stack: Stack, store: Store) -> Iterator[TestClient]:
    with TestClient(build_desk(stack, store, look), base_url="http://127.0.0.1:8000") as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture
def alert() -> Make:
    """One alert as Alertmanager writes it."""

    def make(fingerprint: str = "ab01", status: str = "firing", **labels: str) -> dict[str, Any]:
        return {
            "status": status,
            "labels": {
                "alertname": "CdcReplicationLagHigh",
                "severity": "high",
                "team": "data-platform",
                "scenario": "replication-lag",
                "component": "connect",
            }
            | labels,
            "annotations": {"summary_en": "45000 ms behind", "metric": "lag_millis", "value": "45000"},
            "startsAt": "2026-11-24T11:59:58.123456789Z",
            "endsAt": "2026-11-24T12:01:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
            "generatorURL": "http://p:9090/graph?g0.expr=lag_millis+%3E+30000&g0.tab=1",
            "fingerprint": fingerprint,
        }

    return make


@pytest.fixture
def webhook() -> Make:
    """A notification of these alerts."""

    def make(*alerts: dict[str, Any]) -> dict[str, Any]:
        return {
            "version": "4",
            "groupKey": "{}:{}",
            "status": "firing",
            "receiver": "desk",
            "truncatedAlerts": 0,
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://am",
            "alerts": list(alerts),
        }

    return make


@pytest.fixture
def receive(store: Store, webhook: Make) -> Receive:
    """`receive(*alerts)`: the store takes in one notification of them."""
    return lambda *alerts: store.receive(Notification.model_validate(webhook(*alerts)))


@pytest.fixture
def make_case(store: Store, clock: Any, tmp_path: Path) -> Iterator[Callable[[str], Case]]:
    with ExitStack() as stacked:

        def make(kind: str) -> Case:
            server_class, more = KINDS[kind]
            server = server_class()
            url, client = stacked.enter_context(itsm_servers.serve(server)), stacked.enter_context(httpx.Client())
            tickets = {"kind": kind, "url": url, "seconds": 30, **more}
            given = {"state_dir": tmp_path, "tickets": tickets, "secrets": {"ticket-token": "t"}}
            itsm = itsm_of(Stack(Settings.model_validate(given)), client)
            assert itsm is not None
            return Case(kind, server, itsm, store, clock)

        yield make


@pytest.fixture(params=list(KINDS))
def case(request: pytest.FixtureRequest, make_case: Callable[[str], Case]) -> Case:
    return make_case(request.param)
