"""The desk on PostgreSQL, by the one setting `desk_url`: its own tests, and webhooks that come at once."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from lakeproof.incidents.database import open_database
from lakeproof.incidents.shapes import Act
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]

ROOT = Path(__file__).parents[2]
TESTED = (
    *("store", "intake", "steps", "merging", "escalation", "moments", "compared_alerts", "opened_again"),
    *("tickets", "ticket_troubles", "client", "attacks"),
    *("api", "pages", "oncall", "rca", "one_cause", "rounds"),
)
DATABASE = "desk_test"


@pytest.fixture(scope="module")
def url(stack: Stack, up: Callable[..., SupervisorClient]) -> str:
    """A database of its own on the stack's PostgreSQL, as an administrator would make it for the desk."""
    up("postgres")
    with postgres_session.connection(stack, "postgres", "postgres-root", 60.0) as session:
        session.autocommit = True
        session.execute(f"CREATE DATABASE {DATABASE}")
    host, port = stack.host_port("postgres")
    return f"postgresql+psycopg://postgres:{stack.secret('postgres-root')}@{host}:{port}/{DATABASE}"


@pytest.mark.timeout(1500)
def test_the_stores_tests_pass_on_postgresql(url: str) -> None:
    files = [f"tests/incidents/test_{name}.py" for name in TESTED]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    environment = os.environ | {"DESK_TEST_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-4000:]


def test_twenty_writers_at_once_open_one_incident_and_lose_no_line(url: str) -> None:
    engine: Engine = open_database(url)
    store = Store(engine)

    def notification(number: int) -> Notification:
        alert: dict[str, Any] = {
            "status": "firing",
            "labels": {"alertname": f"A{number}", "scenario": "trino-backlog", "component": "trino"},
            "startsAt": "2026-01-01T00:00:00Z",
            "fingerprint": f"{number:x}",
        }
        return Notification.model_validate({"version": "4", "status": "firing", "alerts": [alert]})

    threads = [threading.Thread(target=store.receive, args=(notification(number),)) for number in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = store.newest_first()
    assert len(store.get(row.id).alerts) == 20
    ackers = [
        threading.Thread(target=store.move, args=(row.id, Status.ACKNOWLEDGED, Act(who=f"p{number}")))
        for number in range(10)
    ]
    for thread in ackers:
        thread.start()
    for thread in ackers:
        thread.join()
    assert [entry.what for entry in store.get(row.id).timeline].count("acknowledged") == 1
    engine.dispose()
