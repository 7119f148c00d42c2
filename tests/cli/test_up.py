"""What `up --all` means where something is only installed for who asks."""

import os
from pathlib import Path

import pytest
from tests.cli.conftest import Typed
from typer.testing import CliRunner

from lakeproof.cli.commands import build
from lakeproof.cli.up import memory_of
from lakeproof.install.recipe import load_recipes
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components
from lakeproof.stack.installed import everything, is_installed
from lakeproof.stack.stack import load_stack

ON_REQUEST = ["log-shipper", "spark", "victorialogs"]


def test_all_leaves_out_only_what_nobody_has_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path))
    assert [name for name, one in all_components().items() if not is_installed(one)] == ON_REQUEST


def test_everything_is_told_with_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path))
    wanted, left_out = everything(all_components().values())
    assert left_out == ON_REQUEST
    assert {"cassandra-node3", "support-service", "trino"} <= set(wanted)
    assert not {"spark", "trino-2"} & set(wanted)


def test_the_memory_is_what_runs_takes_now_whatever_the_supervisor_saw_last() -> None:
    def row(name: str, pid: int | None) -> ProcessRow:
        return ProcessRow(name, State.RUNNING, Health.HEALTHY, pid, 0, 0.0, 0, 1.0, {}, "")

    one, two = memory_of([row("kafka", os.getpid())]), memory_of([row("kafka", os.getpid()), row("trino", None)])
    assert one == two
    assert one.startswith("1 component, ") and one.endswith(" GiB") and float(one.split()[2]) > 0


def test_a_component_that_may_be_left_out_is_not_in_plain_up_and_its_artifact_is_built_on_request() -> None:
    for component in all_components().values():
        if component.artifact is not None:
            assert component.on_demand or not component.in_plain_up
            assert load_recipes()[component.artifact].on_request


def test_what_is_asked_for_besides_joins_what_is_started_anyway(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, own_stack: Path
) -> None:
    started: list[list[str]] = []

    def up(self: SupervisorClient, names: list[str] | None, on_event: object) -> list[str]:
        started.append(list(names or []))
        return []

    monkeypatch.setattr(SupervisorClient, "up", up)
    monkeypatch.setattr(SupervisorClient, "ps", lambda self: [])
    typed("up", "--with", "log-shipper")
    typed("up", "redis", "--with", "log-shipper")
    assert started[0][-1] == "log-shipper" and "kafka" in started[0]
    assert started[1] == ["redis", "log-shipper"]


@pytest.mark.parametrize(("health", "said"), [(Health.HEALTHY, True), (Health.STARTING, False)])
def test_up_tells_where_the_console_is_once_the_desk_is_healthy(
    own_stack: Path, monkeypatch: pytest.MonkeyPatch, health: Health, said: bool
) -> None:
    desk = ProcessRow("desk", State.RUNNING, health, None, 0, 0.0, 0, 1.0, {}, "")
    monkeypatch.setattr(SupervisorClient, "up", lambda self, names, on_event: ["desk"])
    monkeypatch.setattr(SupervisorClient, "ps", lambda self: [desk])
    done = CliRunner().invoke(build(), ["up"], catch_exceptions=False)
    assert (f"console: {load_stack().url('desk')}\n" in done.stderr) is said, done.stderr
