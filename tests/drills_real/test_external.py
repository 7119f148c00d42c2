"""From a second state folder, in mode external, against a stack that somebody else runs: diagnose, check, a drill."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.observability.reload import renew
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components
from lakeproof.stack.secrets import NAMES
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
KINDS = ("http", "tcp", "jmx")


def endpoints(stack: Stack, component: Component) -> dict[str, str]:
    return {kind: stack.address(component.name, kind) for kind in component.ports if kind in KINDS}


@pytest.fixture(scope="module")
def elsewhere(whole_stack: Stack, lakeproof: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`elsewhere(*arguments)`: lakeproof of another state folder that knows this stack's endpoints and secrets."""
    client = SupervisorClient(whole_stack)
    client.up([*client.default_names(), "flink-sql-gateway"])  # nobody starts it there on demand
    running = {row.name for row in client.ps() if row.pid is not None}
    # Orders of somebody else: the first stack's own shoppers, whose ledger the second one does not have.
    assert lakeproof("traffic", "--rate", "20", "--seconds", "5", seconds=120).code == 0
    home = tmp_path_factory.mktemp("elsewhere")
    known = {
        name: endpoints(whole_stack, component)
        for name, component in all_components().items()
        if name in running and endpoints(whole_stack, component)
    }
    known["connect"]["secrets_file"] = str(whole_stack.etc_dir("connect") / "secrets.properties")
    secrets = {name: whole_stack.secret(name) for name in NAMES}
    # Somebody else's stack in short windows, as the settings here say: its rules are not changed from here.
    renew(whole_stack, "drill")
    lines = ['name = "elsewhere"', 'mode = "external"', 'timing = "drill"', f'state_dir = "{home / "state"}"']
    for name, kinds in known.items():
        lines += [f"[endpoints.{name}]", *(f'{kind} = "{address}"' for kind, address in kinds.items())]
    lines += ["[secrets]", *(f'{name} = "{value}"' for name, value in secrets.items())]
    (home / "lakeproof.toml").write_text("\n".join(lines) + "\n")
    (home / "lakeproof.toml").chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEPROOF_")}

    def run(*arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *arguments],
            cwd=home,
            env=kept | {"LAKEPROOF_CONFIG": str(home / "lakeproof.toml")},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return run


def diagnosed(elsewhere: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(elsewhere("diagnose", "--json").stdout)
    return found


def await_health(elsewhere: Run) -> None:
    Deadline(90).wait_for("health", lambda: True if diagnosed(elsewhere)["healthy"] else None)


def test_somebody_elses_healthy_stack_is_healthy(elsewhere: Run) -> None:
    await_health(elsewhere)


def test_a_connector_paused_by_somebody_is_named(elsewhere: Run, whole_stack: Stack) -> None:
    base = f"{whole_stack.url('connect')}/connectors/orders"
    httpx.put(f"{base}/pause", trust_env=False)
    try:
        found = Deadline(30).wait_for("a cause", lambda: diagnosed(elsewhere)["causes"] or None)
        assert [cause["cause"] for cause in found] == ["paused_connector"]
    finally:
        httpx.put(f"{base}/resume", trust_env=False)
    await_health(elsewhere)


def test_a_component_of_somebody_else_that_hangs_is_named_although_no_supervisor_is_asked(
    elsewhere: Run, whole_stack: Stack
) -> None:
    client = SupervisorClient(whole_stack)
    client.kill("trino", "STOP")
    try:
        assert [cause["cause"] for cause in diagnosed(elsewhere)["causes"]] == ["trino_hung"]
    finally:
        client.kill("trino", "CONT")
    await_health(elsewhere)


def test_orders_of_somebody_else_are_counted_and_not_called_phantom(elsewhere: Run) -> None:
    done = elsewhere("check", "--engine", "trino", "--json")
    report = json.loads(done.stdout)
    assert report["not_ours"] > 0
    assert sum(table["phantom"] for table in report["tables"]) == 0
    # Its own ledger is empty, so that nothing was compared: that is no success.
    assert (done.returncode, report["verdict"]) == (3, "unknown")


def test_processes_of_somebody_else_are_not_killed(elsewhere: Run) -> None:
    for fault in ("hung-process", "killed-process", "stopped-process"):
        done = elsewhere("fault", "inject", fault, "--arg", "component=connect")
        assert done.returncode == 2
        assert "somebody else's" in done.stderr
    assert "somebody else's" in elsewhere("up").stderr


def test_a_drill_by_rest_passes_on_somebody_elses_stack(elsewhere: Run, tmp_path: Path) -> None:
    done = elsewhere("drill", "replication-lag", "--report", str(tmp_path / "report"), seconds=580)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (done.returncode, report["verdict"]) == (0, "passed"), done.stderr[-4000:]
    assert report["root_cause"] == "paused_connector"
    await_health(elsewhere)


def test_own_orders_are_judged_beside_those_of_somebody_else(elsewhere: Run) -> None:
    done = elsewhere("check", "--engine", "trino", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "passed"), done.stderr
    assert report["orders"] > 1000 and report["not_ours"] > 0
