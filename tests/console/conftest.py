"""A console without engines: the desk's real store, looks and answers that the test makes up."""

import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from tests.incidents.conftest import TOKEN, clock, engine, stack, store

from lakeproof.console.app import add_console
from lakeproof.console.look import Look
from lakeproof.incidents.api import build_desk
from lakeproof.incidents.session import Sessions
from lakeproof.incidents.store import Store
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import Stack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

__all__ = ("clock", "engine", "stack", "store")
# A page that is tested waits for its figures, however busy the machine is.
PATIENT = 30.0
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def row(name: str, state: State = State.RUNNING, health: Health = Health.HEALTHY, **more: object) -> ProcessRow:
    """A component as the supervisor tells of it."""
    known: dict[str, object] = {
        "pid": 4711,
        "rss_bytes": 50 * 2**20,
        "cpu_percent": 2.4,
        "restarts": 0,
        "ready_seconds": 1.5,
        "endpoints": {"http": "127.0.0.1:8001"},
        "log": "",
    }
    return ProcessRow(name, state, health, **(known | more))  # type: ignore[arg-type]


class Seen:
    """What the next look gives; `looks` counts them."""

    def __init__(self) -> None:
        self.look = Look(START, {})
        self.looks = 0

    def __call__(self) -> Look:
        self.looks += 1
        return self.look


@pytest.fixture
def seen() -> Seen:
    return Seen()


type Open = Callable[[], TestClient]


@pytest.fixture
def client(stack: Stack, store: Store, seen: Seen) -> Iterator[TestClient]:
    app = build_desk(stack, store, lambda expression, labels, at: {})
    add_console(app, stack, store, look=seen, first_wait=PATIENT)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture
def signed_in(client: TestClient, stack: Stack) -> TestClient:
    """The same client, as the browser of a person who signed in."""
    sessions = Sessions(TOKEN, stack.name)
    client.cookies.set(sessions.cookie, sessions.start("an"))
    return client
