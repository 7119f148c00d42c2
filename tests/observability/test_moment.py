import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lakeproof.observability.moment import Looker
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANSWERS: dict[str, Any] = {
    "/api/v1/query": {
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"connector": "other"}, "value": [0, "1"]},
                {"metric": {"connector": "orders"}, "value": [0, "45000"]},
            ],
        }
    },
    "/jobs/overview": {
        "jobs": [
            {"jid": "old", "name": "a", "state": "FAILED", "start-time": 2},
            {"jid": "new", "name": "b", "state": "RUNNING", "start-time": 1},
        ]
    },
    "/jobs/new/checkpoints": {"latest": {"completed": {"id": 77}}},
}


class Server(ThreadingHTTPServer):
    """Prometheus and the JobManager in one."""

    asked: list[str]
    answers: dict[str, Any]


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = json.dumps(made.answers.get(urlsplit(self.path).path, {})).encode()
            self.send_response(200 if urlsplit(self.path).path in made.answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    made = Server(("127.0.0.1", 0), Handler)
    made.asked, made.answers = [], dict(ANSWERS)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def looker(server: Server) -> Looker:
    address = f"127.0.0.1:{server.server_address[1]}"
    endpoints = {name: {"http": address} for name in ("prometheus", "flink-jobmanager")}
    nowhere = {"nessie": {"http": "127.0.0.1:9"}}
    return Looker(Stack(Settings.model_validate({"mode": "external", "endpoints": endpoints | nowhere})))


def test_the_violating_series_is_the_one_whose_labels_the_alert_carries(looker: Looker, server: Server) -> None:
    found = looker.look("lag > 3", {"connector": "orders", "severity": "high"}, AT)
    assert (found["violation"].value, found["violation"].at) == (45000.0, AT)
    assert parse_qs(urlsplit(server.asked[0]).query)["time"] == [f"{AT.timestamp():.3f}"]


def test_the_checkpoint_is_that_of_the_running_job(looker: Looker) -> None:
    assert looker.look("", {}, AT)["checkpoint"].value == 77


def test_what_does_not_answer_is_a_reading_with_its_reason(looker: Looker) -> None:
    published = looker.look("", {}, AT)["published"]
    assert (published.value, published.answered) == (None, False)


def test_a_refused_question_is_told_by_its_status_and_path(looker: Looker, server: Server) -> None:
    del server.answers["/jobs/new/checkpoints"]
    assert looker.look("", {}, AT)["checkpoint"].error == "HTTP 404: /jobs/new/checkpoints"


def test_in_a_storm_the_lake_is_asked_once(looker: Looker, server: Server) -> None:
    for _ in range(10):
        looker.look("", {}, AT)
    assert server.asked.count("/jobs/overview") == 1
