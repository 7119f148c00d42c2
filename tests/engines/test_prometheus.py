"""The way of an alert on the real programs: a gauge crosses its threshold → Prometheus → Alertmanager → the desk."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lakeproof.deadline import Deadline
from lakeproof.drills.live_world import LiveDesk
from lakeproof.incidents.client import DeskClient
from lakeproof.observability.reload import renew
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = pytest.mark.engines

ALERTING = ("prometheus", "alertmanager", "blackbox-exporter", "desk")
WINDOW_SECONDS = 5.0
RULE = {
    "alert": "GaugeHigh",
    "expr": "test_gauge > 10",
    "for": f"{WINDOW_SECONDS:g}s",
    "labels": {"severity": "warning", "team": "data-platform", "scenario": "test-gauge", "component": "gauge"},
    "annotations": {
        "runbook_url": "/runbook/none",
        "summary_vi": "quá cao",
        "summary_en": "too high",
        "metric": "test_gauge",
        "value": "{{ $value }}",
    },
}


class Gauge:
    """An exporter of one number."""

    def __init__(self) -> None:
        self.value = 1.0
        gauge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"test_gauge {gauge.value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(scope="module")
def alerting(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(*ALERTING)


@pytest.fixture(scope="module")
def exporter(stack: Stack, alerting: SupervisorClient) -> Iterator[Gauge]:
    """The exporter, scraped each second as in a drill, with a rule of its own; taken out again afterwards."""
    desk = DeskClient(stack)
    wait_for("what an earlier run left to end", lambda: (newest(desk) or {}).get("status") in (None, "resolved"), 120)
    made = Gauge()
    etc = stack.etc_dir("prometheus")
    text = (etc / "prometheus.yml").read_text()
    config = yaml.safe_load(text)
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"].append({"job_name": "gauge", "static_configs": [{"targets": [made.address]}]})
    (etc / "prometheus.yml").write_text(yaml.safe_dump(config))
    (etc / "rules" / "gauge.yml").write_text(json.dumps({"groups": [{"name": "gauge", "rules": [RULE]}]}))
    reload(stack)
    wait_for("the gauge is scraped", lambda: query(stack, 'max(up{job="gauge"})') == 1.0)
    yield made
    made.server.shutdown()
    made.server.server_close()
    (etc / "prometheus.yml").write_text(text)
    (etc / "rules" / "gauge.yml").unlink(missing_ok=True)
    reload(stack)


@pytest.fixture
def gauge(stack: Stack, exporter: Gauge) -> Iterator[Gauge]:
    """The gauge, low again afterwards. What it sets off opens no incident again that an earlier test has closed."""
    LiveDesk(stack).keep_closed()
    yield exporter
    exporter.value = 1.0


def reload(stack: Stack) -> None:
    assert httpx.post(f"{stack.url('prometheus')}/-/reload", trust_env=False, timeout=10).status_code == 200


def query(stack: Stack, expression: str) -> float | None:
    url = f"{stack.url('prometheus')}/api/v1/query"
    result = httpx.get(url, params={"query": expression}, trust_env=False, timeout=10).json()["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def wait_for[T](what: str, look: Callable[[], T], seconds: float = 60.0) -> T:
    return Deadline(seconds).wait_for(what, lambda: look() or None, every=0.1)


def wait_for_status(desk: DeskClient, status: str, seconds: float = 60.0, after: str = "") -> dict[str, Any]:
    """The newest incident of the gauge, once it has that status (and is newer than the one of id `after`)."""

    def look() -> dict[str, Any] | None:
        one = newest(desk)
        return one if one is not None and one["status"] == status and one["id"] > after else None

    return Deadline(seconds).wait_for(f"an incident that is {status}", look, every=0.1)


def kill_and_wait(alerting: SupervisorClient, name: str) -> None:
    before = alerting.row(name).restarts
    alerting.kill(name)
    wait_for(f"{name} again", lambda: (row := alerting.row(name)).restarts > before and row.health == "healthy")


def newest(desk: DeskClient) -> dict[str, Any] | None:
    found = [one for one in desk.incidents() if one["scenario"] == "test-gauge"]
    return found[0] if found else None


def test_a_gauge_above_its_bound_opens_an_incident_that_ends_with_it_and_is_the_same_if_it_fires_again(
    stack: Stack, gauge: Gauge, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its violating value is read back from Prometheus."""
    desk = DeskClient(stack)
    gauge.value, crossed = 17.5, time.monotonic()
    opened = wait_for_status(desk, "open")
    opened_after = time.monotonic() - crossed
    moment = wait_for("its moment", lambda: desk.incident(opened["id"])["moment"])
    assert (opened["metric"], moment["violation"]["value"]) == ("test_gauge", 17.5)
    gauge.value, cleared = 1.0, time.monotonic()
    assert wait_for_status(desk, "resolved")["id"] == opened["id"]
    with capsys.disabled():
        print(
            f"\nalert delay beyond its window of {WINDOW_SECONDS:g} s: {opened_after - WINDOW_SECONDS:.2f} s; "
            f"from clear to resolved: {time.monotonic() - cleared:.2f} s"
        )
    gauge.value = 42.0
    assert wait_for_status(desk, "open")["id"] == opened["id"]
    again = desk.incident(opened["id"])
    assert [alert["status"] for alert in again["alerts"]] == ["resolved", "firing"]
    assert "open again: GaugeHigh fires" in str(again["timeline"])
    gauge.value = 1.0
    wait_for_status(desk, "resolved")


def test_a_desk_killed_while_an_alert_fires_still_gets_the_incident(
    stack: Stack, alerting: SupervisorClient, gauge: Gauge
) -> None:
    desk = DeskClient(stack)
    before = newest(desk)
    alerting.stop("desk")
    gauge.value = 42.0
    wait_for("the alert fires", lambda: query(stack, 'ALERTS{alertname="GaugeHigh", alertstate="firing"}'))
    alerting.start("desk")
    opened = wait_for_status(desk, "open", 120, after=before["id"] if before else "")
    kill_and_wait(alerting, "desk")
    assert desk.incident(opened["id"])["alerts"][0]["name"] == "GaugeHigh"
    gauge.value = 1.0
    wait_for_status(desk, "resolved", 120)


def test_an_alert_whose_end_was_lost_in_a_restart_ends_too(
    stack: Stack, alerting: SupervisorClient, gauge: Gauge
) -> None:
    desk = DeskClient(stack)
    gauge.value = 42.0
    opened = wait_for_status(desk, "open")
    for name in ("prometheus", "alertmanager"):
        alerting.stop(name)
    gauge.value = 1.0
    alerting.up(ALERTING)
    assert wait_for_status(desk, "resolved", 120)["id"] == opened["id"]
    assert "does not know it any more" in str(desk.incident(opened["id"])["timeline"])


def test_a_timing_is_applied_to_the_running_programs(stack: Stack, alerting: SupervisorClient) -> None:
    def window() -> float:
        groups = httpx.get(f"{stack.url('prometheus')}/api/v1/rules", trust_env=False, timeout=10).json()["data"][
            "groups"
        ]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        return float(rules["CdcReplicationLagHigh"]["duration"])

    assert window() == 120  # as a plain `up` has it
    try:
        assert renew(stack, "drill") == ("prometheus", "alertmanager")
        assert window() == 10
    finally:
        assert renew(stack, "production") == ("prometheus", "alertmanager")
    assert window() == 120


@pytest.mark.parametrize("name", ["prometheus", "alertmanager", "blackbox-exporter"])
def test_it_comes_back_after_kill_9(alerting: SupervisorClient, name: str) -> None:
    kill_and_wait(alerting, name)


def test_a_stopped_service_is_seen_by_its_health_probe(stack: Stack, alerting: SupervisorClient) -> None:
    wait_for("well", lambda: query(stack, 'probe_success{component="desk"}') == 1.0)
    alerting.kill("desk", "STOP")
    try:
        wait_for("silent", lambda: query(stack, 'probe_success{component="desk"}') == 0.0)
    finally:
        alerting.kill("desk", "CONT")


def test_the_token_is_not_in_any_readable_file(stack: Stack, alerting: SupervisorClient) -> None:
    token = stack.secret("desk-token").encode()
    readable = [path for path in Path(stack.state_dir).rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert [path for path in readable if token in path.read_bytes()] == []
