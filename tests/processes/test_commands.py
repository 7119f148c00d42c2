"""The commands around the supervisor, without engines."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lakeproof.cli.commands import build
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError
from lakeproof.processes import lock
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import RUN_ID, SERVICE_VARIABLES
from lakeproof.processes.reset import reset
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.stack import Stack, load_stack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that does not run; the commands find it by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEPROOF_NAME", "quiet")
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "700")
    monkeypatch.setenv("LAKEPROOF_MODE", "local")
    return load_stack()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), arguments)


def error_of(*arguments: str) -> LakeproofError:
    """The error that `lakeproof` would print, with its exit code."""
    error = run(*arguments).exception
    assert isinstance(error, LakeproofError)
    return error


def test_ps_of_a_stack_that_does_not_run_is_an_empty_list(stack: Stack) -> None:
    result = run("ps", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == []


def test_ps_says_unknown_when_the_supervisor_died(stack: Stack) -> None:
    runtime = Runtime(stack)
    runtime.make()
    runtime.lock.write_text('{"pid": 1, "start_ticks": 1, "run_id": "x", "state_dir": "/x"}')
    try:
        error = error_of("ps")
    finally:
        runtime.remove()
    assert isinstance(error, CouldNotLook) and error.exit_code == 3 and "supervisor is dead" in error.message


def test_ps_does_not_call_a_supervisor_dead_that_is_being_started(stack: Stack) -> None:
    marks = {RUN_ID: Runtime(stack).new_run_id()}
    with lock.starting(stack, 0.0), subprocess.Popen(("sleep", "60"), env=os.environ | marks) as newborn:
        try:
            result = run("ps", "--json")
        finally:
            newborn.kill()
    assert (result.exit_code, json.loads(result.stdout or "null")) == (0, [])
    assert result.stderr == "stack quiet is being started\n"


def test_ps_tells_a_reset_from_a_start(stack: Stack) -> None:
    """The one takes a moment and ends with a stack; after the other there is none."""
    said: list[str] = []

    class Client(SupervisorClient):
        def running(self) -> bool:
            said.append(run("ps").stderr)
            return False

    reset(stack, Client(stack), lambda event: None)
    assert "stack quiet is being reset\n" in said


def test_down_of_a_stack_that_does_not_run_succeeds(stack: Stack) -> None:
    assert run("down").exit_code == 0


def test_up_refuses_two_kinds_of_target_at_once(stack: Stack) -> None:
    error = error_of("up", "kafka", "--all")
    assert isinstance(error, InvalidInput) and error.exit_code == 2


def test_kill_without_a_supervisor_says_what_to_do(stack: Stack) -> None:
    error = error_of("kill", "kafka")
    assert error.exit_code == 3 and "lakeproof up" in error.message


def test_start_hands_on_where_a_service_finds_others_and_nothing_else_of_the_shell(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[str, object]] = []

    def start(_: SupervisorClient, name: str, on_event: object, *, variables: object) -> list[str]:
        handed.append((name, variables))
        return [name]

    for name in SERVICE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_ORDER_SERVICE_URL", "")
    monkeypatch.setattr(SupervisorClient, "start", start)
    assert run("start", "support-service").exit_code == 0
    assert handed == [("support-service", {"SERVICE_ORDER_SERVICE_URL": ""})]


def test_env_prints_endpoints_and_secrets_that_a_shell_can_read(stack: Stack) -> None:
    lines = run("env").stdout.splitlines()
    assert "export CONNECT_HTTP=127.0.0.1:8783" in lines
    assert f"export SECRET_MYSQL_READER={stack.secret('mysql-reader')}" in lines


def test_scaling_what_stays_one_is_wrong_usage_and_says_what_can_be_scaled(stack: Stack) -> None:
    error = error_of("scale", "mysql", "2")
    assert error.exit_code == 2
    assert "one primary" in error.message and "scale one of connect, flink-taskmanager, trino" in error.message
