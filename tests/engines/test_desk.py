"""The desk as a process: a thousand alerts, kill -9 in the middle of webhooks, the command line."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lakeproof.deadline import Deadline
from lakeproof.incidents.checklist import ITEMS
from lakeproof.incidents.client import DeskClient
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def desk(stack: Stack, up: Callable[..., SupervisorClient]) -> DeskClient:
    up("desk")
    return DeskClient(stack)


def notification(start: int, alerts: int) -> dict[str, Any]:
    """A webhook of that many alerts of no scenario, each a group of its own."""
    return {
        "version": "4",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Many", "component": f"c{number}", "severity": "warning"},
                "annotations": {},
                "startsAt": "2026-01-01T00:00:00Z",
                "fingerprint": f"{number:x}",
            }
            for number in range(start, start + alerts)
        ],
    }


def post(stack: Stack, data: dict[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {stack.secret('desk-token')}"}
    url = f"{stack.url('desk')}/api/alertmanager"
    return httpx.post(url, json=data, headers=headers, timeout=60, trust_env=False)


def test_a_thousand_alerts_in_one_webhook_are_answered(stack: Stack, desk: DeskClient) -> None:
    answer = post(stack, notification(0x1000, 1000)).json()
    assert answer["opened"] + answer["known"] == 1000


def test_what_was_answered_outlives_kill_9_and_what_was_not_is_whole_or_absent(
    stack: Stack, desk: DeskClient, up: Callable[..., SupervisorClient]
) -> None:
    supervisor = up("desk")
    answered: list[int] = []
    asked = range(0x100000, 0x100000 + 4000, 100)

    def send() -> None:
        for start in asked:
            try:
                if post(stack, notification(start, 100)).status_code == 200:
                    answered.append(start)
            except httpx.HTTPError:
                return  # it died in the middle of this one

    sender = threading.Thread(target=send)
    sender.start()
    Deadline(60).wait_for("some webhooks to be answered", lambda: len(answered) >= 5 or None, every=0.01)
    restarts = supervisor.row("desk").restarts
    supervisor.kill("desk")
    sender.join()
    Deadline(60).wait_for("the desk", lambda: (supervisor.row("desk").restarts > restarts and is_well(stack)) or None)
    for start in asked:
        again = post(stack, notification(start, 100)).json()
        if start in answered:
            assert (again["opened"], again["known"]) == (0, 100)
        else:
            assert (again["opened"], again["known"]) in ((100, 0), (0, 100))


def is_well(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url('desk')}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_it_listens_on_loopback_only(stack: Stack, desk: DeskClient) -> None:
    port = stack.port("desk")
    listening = [tuple(one.laddr) for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert [address for address in listening if address[1] == port] == [("127.0.0.1", port)]


def test_the_command_line_leads_an_incident_from_open_to_reviewed(stack: Stack, desk: DeskClient) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("lakeproof")), "incident", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    opened = json.loads(run("open", "prices are old", "--service", "trino", "--who", "an", "--json").stdout)
    name = opened["id"]
    for step in (["ack", name], ["note", name, "looked at 3 queries"], ["resolve", name, "-m", "cache emptied"]):
        assert run(*step, "--who", "an").returncode == 0
    assert "looked at 3 queries [^" in run("rca", name, "--who", "an").stdout
    refused = run("review", name, "--who", "binh")
    assert (refused.returncode, "no lesson learned" in refused.stderr) == (2, True)
    assert run("lesson", name, "an alert on the age of prices", "--who", "binh").returncode == 0
    for item in ITEMS:
        assert run("check", name, item.id, "--waive", "-m", "opened by hand", "--who", "binh").returncode == 0
    assert run("review", name, "--who", "binh").returncode == 0
    assert json.loads(run("show", name, "--json").stdout)["status"] == "reviewed"
    refused = run("ack", name, "--who", "an")
    assert (refused.returncode, "reviewed cannot become acknowledged" in refused.stderr) == (2, True)
    assert run("show", "INC-999999").returncode == 2
