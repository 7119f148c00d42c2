"""A diagnosis asks neither rules, alerts nor incidents: whatever labels they carry, its verdict is the same."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lakeproof.drills.examination import examine
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

HTTP = ("connect", "prometheus", "alertmanager", "desk", "nessie")
ABOUT_ALERTS = ("alerts", "rules", "incidents", "ALERTS", "silences")


class Answers(BaseHTTPRequestHandler):
    """A paused connector; and alerts and incidents with the labels that the test sets."""

    labels: dict[str, str] = {}  # noqa: RUF012  the handler's class is how the test reaches it
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        alert = {
            "labels": self.labels,
            "status": {"state": "active"},
            "state": "firing",
            "name": "CdcReplicationLagHigh",
        }
        answer: Any = {"status": "success", "data": {"groups": [{"rules": [alert]}], "alerts": [alert], "result": []}}
        if self.path.endswith("/status") and "/connectors/" in self.path:
            answer = {"connector": {"state": "PAUSED"}, "tasks": [{"id": 0, "state": "PAUSED"}]}
        elif self.path.startswith("/api/v1/query"):
            answer = {"status": "success", "data": {"resultType": "vector", "result": [{"value": [0, "1"]}]}}
        elif self.path == "/api/v2/status":
            answer = {"config": {"original": "receivers: []"}}
        elif any(word in self.path for word in ABOUT_ALERTS):
            answer = [alert]
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Somebody else's stack, of which these five components are known."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.chdir(tmp_path)
    endpoints = {name: {"http": f"127.0.0.1:{server.server_port}"} for name in HTTP}
    yield Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))
    server.shutdown()
    thread.join()
    server.server_close()


SCRAMBLED: list[dict[str, str]] = [
    {"alertname": "CdcReplicationLagHigh", "scenario": "replication-lag", "component": "connect"},
    {
        "alertname": "CdcReplicationLagHigh",
        "scenario": "cassandra-node-down",
        "component": "trino",
        "team": "cassandra",
    },
    {"alertname": "SomethingElse"},
    {},
]


@pytest.mark.parametrize("labels", SCRAMBLED)
def test_scrambled_or_missing_labels_give_the_same_cause(
    external: Stack, labels: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "labels", labels)
    monkeypatch.setattr(Answers, "asked", [])
    monkeypatch.setattr("lakeproof.probes.looking.PAUSE_SECONDS", 0.0)
    found = examine(external).diagnosis
    assert [finding.cause.id for finding in found.findings] == ["paused_connector"]
    assert [path for path in Answers.asked if any(word in path for word in ABOUT_ALERTS)] == []
