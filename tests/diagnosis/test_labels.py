"""A diagnosis asks neither rules, alerts nor incidents: whatever labels they carry, its verdict is the same."""

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.diagnosis.examination import examine
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

HTTP = ("connect", "prometheus", "alertmanager", "desk", "nessie")
CAPTURES = {"orders": "paused_connector", "shop": "shop_paused_connector"}
ABOUT_ALERTS = ("alerts", "rules", "incidents", "ALERTS", "silences")


class Servers:
    """A paused connector; and alerts and incidents with the labels that the test sets."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.paused = "orders"
        self.asked: list[str] = []

    def answer(self, _method: str, path: str, _body: bytes) -> tuple[int, object]:
        self.asked.append(path)
        alert = {
            "labels": self.labels,
            "status": {"state": "active"},
            "state": "firing",
            "name": "CdcReplicationLagHigh",
        }
        answer: Any = {"status": "success", "data": {"groups": [{"rules": [alert]}], "alerts": [alert], "result": []}}
        if path.endswith("/status") and "/connectors/" in path:
            state = "PAUSED" if f"/connectors/{self.paused}/" in path else "RUNNING"
            answer = {"connector": {"state": state}, "tasks": [{"id": 0, "state": state}]}
        elif path.startswith("/api/v1/query"):
            answer = {"status": "success", "data": {"resultType": "vector", "result": [{"value": [0, "1"]}]}}
        elif path == "/health":
            answer |= {"service": "shop-capture"}
        elif path == "/api/v2/status":
            answer = {"config": {"original": "receivers: []"}}
        elif any(word in path for word in ABOUT_ALERTS):
            answer = [alert]
        return 200, answer


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def external(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: Servers, answering: Answering) -> Stack:
    """Somebody else's stack, of which these six components are known."""
    address = answering(servers.answer)
    monkeypatch.chdir(tmp_path)
    endpoints = {name: {"http": address} for name in (*HTTP, "shop-capture")}
    return Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))


SCRAMBLED: list[dict[str, str]] = [
    {"alertname": "CdcReplicationLagHigh", "scenario": "replication-lag", "component": "connect"},
    {"alertname": "CdcReplicationLagHigh", "connector": "orders"},
    {"alertname": "CdcReplicationLagHigh", "connector": "shop"},
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
@pytest.mark.parametrize("connector", CAPTURES)
def test_scrambled_or_missing_labels_give_the_same_cause(
    external: Stack, servers: Servers, connector: str, labels: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.labels, servers.paused = labels, connector
    monkeypatch.setattr("lakeproof.probes.looking.PAUSE_SECONDS", 0.0)
    found = examine(external, scenario_folders()).diagnosis
    assert [finding.cause.id for finding in found.findings] == [CAPTURES[connector]]
    assert found.findings[0].cause.repairs[0].arguments == {"connector": connector}
    assert [path for path in servers.asked if any(word in path for word in ABOUT_ALERTS)] == []
