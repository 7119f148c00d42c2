"""The runbook's nine scripts: its own command lines are taken, and whatever happens they print one JSON object."""

import argparse
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.stack.secrets import NAMES
from lakeproof_shop.customers.shoppers.plan import CUSTOMERS
from lakeproof_shop.services.support.offload import Offloaded

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "chaos-replication-lag": "chaos/simulate_replication_lag.py",
    "chaos-schema-drift": "chaos/simulate_schema_drift.py",
    "chaos-ttl-oversell": "chaos/simulate_ttl_oversell.py",
    "chaos-fulfillment-delay": "chaos/simulate_fulfillment_delay.py",
    "notification-chaos-provider": "chaos/notification_provider_failure.py",
    "notification-chaos-redis": "chaos/notification_redis_outage.py",
    "notification-probe": "synthetic/notification_probe.py",
    "support-probe": "synthetic/support_timeline_probe.py",
    "support-offload": "maintenance/offload_support_attachments.py",
}
# The runbook's ARGS to the letter; what it leaves to the reader (<ticket>, <old>, a URL) is filled in.
RUNBOOK = [
    ("chaos-replication-lag", "--connect-url http://connect:8083 --rows 200", {"rows": 200}),
    ("chaos-schema-drift", "--table oltp.orders --column unexpected_field", {"column": "unexpected_field"}),
    ("chaos-schema-drift", "--table oltp.orders --column unexpected_field --revert", {"table": "orders"}),
    ("chaos-ttl-oversell", "--keyspace inventory --table reservations --ttl 60", {"ttl": 60}),
    ("chaos-ttl-oversell", "--revert --previous-ttl 900", {"revert": True, "previous_ttl": 900}),
    ("chaos-fulfillment-delay", "--count 25 --hold-minutes 30 --support-ticket-id 7", {"support_ticket_id": 7}),
    ("chaos-fulfillment-delay", "--revert --support-ticket-id 7", {"revert": True}),
    ("notification-chaos-provider", "--base-url http://localhost:8006 --count 10", {"count": 10}),
    ("notification-chaos-redis", "--base-url http://localhost:8006", {"base_url": "http://localhost:8006"}),
    ("notification-probe", "--base-url http://localhost:8006", {}),
    ("notification-probe", "", {}),
    ("support-probe", "--base-url http://localhost:8005", {}),
    ("support-probe", "", {}),
    ("support-offload", "--age-days 30", {"dry_run": False}),
    ("support-offload", "--age-days 30 --dry-run", {"age_days": 30.0, "dry_run": True}),
]


def script(target: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(target.replace("-", "_"), ROOT / "scripts" / SCRIPTS[target])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(target: str, arguments: str) -> argparse.Namespace:
    parsed: Callable[[list[str]], argparse.Namespace] = script(target).parsed
    return parsed(shlex.split(arguments))


@pytest.mark.parametrize(("target", "arguments", "wanted"), RUNBOOK)
def test_the_runbooks_own_command_is_taken(target: str, arguments: str, wanted: dict[str, Any]) -> None:
    given = vars(parse(target, arguments))
    assert {name: given[name] for name in wanted} == wanted


def test_the_makefile_runs_these_scripts() -> None:
    text = (ROOT / "Makefile").read_text()
    for target, script in SCRIPTS.items():
        assert f"\n\t@$(VENV)/python scripts/{script} $(ARGS)\n" in text.partition(f"\n{target}:")[2]


@pytest.mark.parametrize("table", ["mysql.user", "oltp.oltp.orders", "oltp.", "orders;"])
def test_a_table_of_another_schema_is_refused(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("chaos-schema-drift", f"--table {shlex.quote(table)}")
    told = json.loads(capsys.readouterr().out)
    assert (ended.value.code, told["ok"], "no plain name" in told["problem"]) == (2, False, True)


type Ended = tuple[int, dict[str, Any], str]
type Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run(target, *arguments)`: exit code, the JSON on stdout, stderr; beside somebody's stack without endpoints."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LAKEPROOF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LAKEPROOF_SECRETS", json.dumps(dict.fromkeys(NAMES, "x")))

    def started(target: str, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", [SCRIPTS[target], *arguments])
        try:
            code = script(target).main()
        except SystemExit as ended:  # argparse's own way
            code = ended.code
        printed = capsys.readouterr()
        return code, json.loads(printed.out), printed.err

    return started


@pytest.mark.parametrize("target", SCRIPTS)
def test_wrong_usage_is_told_in_json(target: str, run: Run) -> None:
    code, told, said = run(target, "--no-such-flag")
    assert (code, told["ok"]) == (2, False)
    assert "--no-such-flag" in told["problem"] and "--no-such-flag" in said


@pytest.mark.parametrize("target", SCRIPTS)
def test_a_stack_that_was_given_nothing_is_told_in_json_and_the_local_one_is_left_alone(
    target: str, run: Run
) -> None:
    code, told, said = run(target)
    assert (code, told["ok"]) == (2, False), said
    assert "was given no" in told["problem"] and "LAKEPROOF_ENDPOINTS" in told["problem"]


def test_a_url_on_the_command_line_leaves_the_other_endpoints_as_the_environment_has_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the four that it needs only the shop's is missing, which is found before anything is asked or paused."""
    endpoints = {"mysql": {"tcp": "127.0.0.1:2"}, "kafka": {"tcp": "127.0.0.1:3"}}
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS", json.dumps(endpoints))
    code, told, _ = run("chaos-replication-lag", "--connect-url", "http://127.0.0.1:1")
    assert (code, told["problem"].partition(":")[0]) == (2, "order-service")


def test_attachments_of_somebody_else_are_not_looked_for_in_our_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = {"postgres": {"tcp": "127.0.0.1:1"}, "minio": {"http": "127.0.0.1:1"}}
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS", json.dumps(endpoints))
    code, told, _ = run("support-offload")
    assert (code, "support_attachment_dir" in told["problem"]) == (2, True), told
    monkeypatch.setenv("LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR", "/srv/attachments")
    code, told, _ = run("support-offload")
    assert (code, told["problem"].partition(":")[0]) == (1, "postgres"), told


@pytest.mark.parametrize(
    ("target", "exit_code"),
    [
        ("notification-chaos-provider", 3),
        ("notification-chaos-redis", 3),
        ("notification-probe", 3),
        ("support-probe", 1),
    ],
)
def test_a_service_that_is_away_is_told_in_json(target: str, exit_code: int, run: Run) -> None:
    code, told, _ = run(target, "--base-url", "http://127.0.0.1:1")
    assert (code, told["ok"], told["baseUrl"]) == (exit_code, False, "http://127.0.0.1:1")
    assert "no answer" in told["problem"] or "no metrics" in told["problem"]
    assert told["at"]


def test_the_support_probe_tells_how_far_it_came_where_a_step_fails(answering: Answering, run: Run) -> None:
    """A user meets 500 at the refresh: what was reached before is kept, and the case is closed."""
    asked: list[str] = []
    opened: list[dict[str, Any]] = []

    def answers(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(f"{method} {path}")
        if path == "/health":
            return 503, {"status": "unhealthy", "dependencies": {"redis": {"problem": "no answer"}}}
        if path.endswith("/timeline/refresh"):
            return 500, {"error": {"code": "broken"}}
        if path == "/support/cases":
            opened.append(json.loads(body))
            return 201, {"id": 41}
        return 200, {"timeline": {"came_from": "remote"}}

    code, told, said = run("support-probe", "--base-url", f"http://{answering(answers)}")
    assert (code, told["ok"], told["caseId"], told["unhealthy"]) == (1, False, 41, {"redis": "no answer"}), said
    assert told["problem"].startswith("refresh: answered 500")
    assert told["cameFrom"] == ["remote"] * 5 and told["timelineSeconds"]["slowest"] > 0
    assert [check["name"] for check in told["checks"]] == ["health", "timeline_seconds"]
    assert asked[-1] == "POST /support/cases/41/close"
    assert opened[0]["customer_id"] == told["customerId"] > CUSTOMERS  # who is mailed of it is no shopper


def test_the_support_probe_tells_that_something_else_answers(answering: Answering, run: Run) -> None:
    url = f"http://{answering(lambda *_: (200, {'some': 'thing'}))}"
    code, told, _ = run("support-probe", "--base-url", url)
    assert (code, told["ok"]) == (1, False)
    assert "something else" in told["problem"]


def test_the_notification_probe_tells_what_the_service_said(answering: Answering, run: Run) -> None:
    def answers(_: str, path: str, __: bytes) -> tuple[int, object]:
        return (200, b"notification_sent_total 3\n") if path == "/metrics" else (502, {"error": "provider"})

    url = f"http://{answering(answers)}"
    code, told, _ = run("notification-probe", "--base-url", url)
    assert (code, told["ok"], told["status"]) == (1, False, "not made")
    assert "502" in told["problem"]
    assert told["metrics"]["notification_sent_total"]["before"] == 3


def test_what_the_provider_rehearsal_had_made_is_told_where_it_stops(answering: Answering, run: Run) -> None:
    def answers(_: str, path: str, __: bytes) -> tuple[int, object]:
        if path == "/metrics":
            return 200, b"notification_failure_total 0\n"
        return (201, {"id": "n-1"}) if path == "/notifications" else (500, {"error": "broken"})

    url = f"http://{answering(answers)}"
    code, told, _ = run("notification-chaos-provider", "--base-url", url, "--count", "2")
    assert (code, told["ok"], told["failed"], told["notificationIds"]) == (1, False, 0, ["n-1", "n-1"])
    assert "500" in told["problem"]


def of_a_metric(delta: int, **more: object) -> dict[str, Any]:
    """What a rehearsal of the notification service tells."""
    names = ("notification_failure_total", "notification_rate_limit_errors_total")
    return {"metrics": {name: {"delta": delta} for name in names}, **more}


FOUND_ILL: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("notification-chaos-provider", "", of_a_metric(9, failed=8), 1, "8 of 10 failed, and .* rose by 9"),
    (
        "notification-chaos-redis",
        "",
        of_a_metric(0, sent=10, redisStopped=False, errorsEndedAfterwards=None),
        3,
        "not ours to stop",
    ),
    (
        "notification-chaos-redis",
        "",
        of_a_metric(4, sent=10, redisStopped=True, errorsEndedAfterwards=False),
        1,
        "10 of 10 were sent; .* rose by 4, and they did not end",
    ),
    (
        "chaos-replication-lag",
        "",
        {"rowsWritten": 200, "afterResume": {"rowCountDelta": 31, "seconds": 60.1}},
        1,
        "connector orders: 31 of 200 orders did not arrive within 60.1 s",
    ),
    (
        "chaos-fulfillment-delay",
        "--support-ticket-id 7",
        {"id": 7, "reached": False, "problem": "ConnectError: refused"},
        1,
        "support-service: ticket 7 was not read: ConnectError",
    ),
    (
        "support-offload",
        "",
        {"failed": [{"attachment": 5, "case": 2, "why": "the local file is not what was uploaded"}]},
        1,
        "1 stay where they are, as attachment 5: the local file",
    ),
]


@pytest.mark.parametrize(("target", "arguments", "seen", "exit_code", "says"), FOUND_ILL)
def test_what_was_done_and_found_ill_is_told_as_the_problem(
    target: str,
    arguments: str,
    seen: dict[str, Any],
    exit_code: int,
    says: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the figures told it: whoever keeps the JSON in an incident's file had to know what they should be."""

    def rehearsed(*given: Any, **_: Any) -> None:
        given[-1].update(seen)

    async def offloaded(*_: Any, **__: Any) -> Offloaded:
        return Offloaded(dry_run=False, age_days=30, failed=seen["failed"])

    url = {"http": "http://127.0.0.1:1"}
    endpoints = {"notification-service": url, "connect": url}
    monkeypatch.setenv("LAKEPROOF_ENDPOINTS", json.dumps(endpoints))
    for name in ("fail_providers", "redis_outage"):
        monkeypatch.setattr(f"lakeproof_shop.scenarios.notification_failure.rehearsal.{name}", rehearsed)
    monkeypatch.setattr("lakeproof_shop.scenarios.replication_lag.rehearsal.rehearse", rehearsed)
    monkeypatch.setattr("lakeproof_shop.scenarios.fulfillment_delay.rehearsal.hold", lambda *_: {})
    monkeypatch.setattr("lakeproof_shop.scenarios.fulfillment_delay.rehearsal.ticket", lambda *_: seen)
    monkeypatch.setattr("lakeproof_shop.services.support.offload.offload", offloaded)
    code, told, _ = run(target, *shlex.split(arguments))
    assert (code, told["ok"]) == (exit_code, False)
    assert re.search(says, told["problem"])
    assert set(told) > {"ok", "problem"}  # what was seen is told as before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_script_that_is_interrupted_mends_what_it_broke_and_tells_so_in_json(how: signal.Signals) -> None:
    """A script of its own process that broke something and works on."""
    text = """
import time
from lakeproof.cli.script import told

def work(found):
    found["broken"] = True
    try:
        print("begun", flush=True)
        # Pieces: a signal that comes just before a sleep begins is told only at its end.
        for _ in range(600):
            time.sleep(0.1)
    finally:
        found["broken"] = False
    return 0

raise SystemExit(told(work))
"""
    running = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stdout.readline() == "begun\n"
    running.send_signal(how)
    out, _ = running.communicate(timeout=10)
    assert (running.returncode, json.loads(out)) == (130, {"ok": False, "broken": False, "problem": "interrupted"})
