"""The newest published states, read from an answer of Nessie's by the standard library's HTTP client."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.main_now import states_on_main

# As Nessie 0.10x wrote them, without the tables.
OURS = {
    "commitMeta": {
        "hash": "ab12",
        "message": "checkpoint 7",
        "authors": ["lakeproof"],
        "commitTime": "2026-11-30T11:00:00.5Z",
        "allProperties": {
            "database": ["oltp"],
            "checkpoint": ["7"],
            "beat_us": ["1795000000000000"],
            "gtid": ["0-1-9"],
            "snapshot.orders": ["12"],
        },
    },
    "parentCommitHash": "ab11",
}
SOMEBODYS = {
    "commitMeta": {"hash": "ab13", "message": "mine", "commitTime": "2026-11-30T11:00:01Z", "allProperties": {}}
}


class _Handler(BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status if self.path.startswith("/api/v2/trees/main/history?") else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.fixture
def nessie() -> Iterator[ThreadingHTTPServer]:
    """A server on loopback that gives _Handler's answer to every question for main's history."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_port}"


def answers(monkeypatch: pytest.MonkeyPatch, status: int, body: object) -> None:
    monkeypatch.setattr(_Handler, "status", status)
    monkeypatch.setattr(_Handler, "body", body if isinstance(body, bytes) else json.dumps(body).encode())


def test_it_gives_the_newest_state_that_is_ours(nessie: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, 200, {"logEntries": [SOMEBODYS, OURS]})
    states = states_on_main(address(nessie))
    assert {name: (state.checkpoint, state.beat_us) for name, state in states.items()} == {
        "oltp": (7, 1795000000000000)
    }


def test_before_the_first_publish_there_is_none(nessie: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, 200, {"logEntries": [SOMEBODYS]})
    assert states_on_main(address(nessie)) == {}


def test_published_states_below_many_commits_of_others_are_not_called_none(
    nessie: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 200, {"logEntries": [SOMEBODYS] * 20, "hasMore": True, "token": "t"})
    with pytest.raises(CouldNotLook, match="nothing published is among its 20 newest commits"):
        states_on_main(address(nessie))


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, {"message": "starting"}, "answered 503"),
        (404, {"message": "no such reference"}, "answered 404"),
        (200, b'{"logEntries": [', "no answer (JSONDecodeError)"),
        (200, {"something": "else"}, "no answer (KeyError)"),
    ],
)
def test_an_answer_that_tells_nothing_is_said_and_taken_for_no_age(
    nessie: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, body: object, told: str
) -> None:
    answers(monkeypatch, status, body)
    with pytest.raises(CouldNotLook) as found:
        states_on_main(address(nessie))
    assert found.value.what == told


def test_nobody_there() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(CouldNotLook, match="ConnectionRefusedError"):
            states_on_main(f"127.0.0.1:{taken.getsockname()[1]}")
