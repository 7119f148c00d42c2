"""What children find in their environment."""

import json
import sys
from pathlib import Path

import pytest

from lakeproof.processes.environment import (
    child_environment,
    importing_from,
    service_variables,
    settings_environment,
)
from lakeproof.stack.component import Command
from lakeproof.stack.settings import LakeSettings, Settings, load_settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(
        Settings(
            name="other",
            state_dir=tmp_path / "state",
            port_shift=700,
            endpoints={"flink-jobmanager": {"http": "10.0.0.5:8081"}},
            secrets={"mysql-root": "a-password"},
            scenario_dirs=[tmp_path / "mine"],
            lake=LakeSettings(checkpoint_seconds=3),
        )
    )


def test_a_child_reads_the_same_settings_again(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in settings_environment(stack).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == stack.settings


RUN = "other-12345678-abcd"
OURS = Command((sys.executable, "-m", "lakeproof.somewhere"))
ENGINE = Command(("/usr/sbin/mariadbd",))


def test_a_components_own_variables_win_but_not_over_the_run_id(stack: Stack) -> None:
    command = Command(OURS.argv, env={"TZ": "Asia/Saigon", "LAKEPROOF_RUN_ID": "mine"})
    environment = child_environment(stack, RUN, "desk", command, {"TZ": "Europe/Paris", "SERVICE_REDIS_URL": ""})
    assert environment["TZ"] == "Asia/Saigon"
    assert environment["SERVICE_REDIS_URL"] == ""
    assert environment["LAKEPROOF_RUN_ID"] == RUN


def test_an_engine_gets_no_password_of_the_settings_and_still_tells_whose_it_is(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_REDIS_URL", "redis://:a-password@10.0.0.5/0")
    # `lakeproof restart mysql` hands it what the caller's shell has.
    engine = child_environment(stack, RUN, "mysql", ENGINE, {"SERVICE_REDIS_URL": "redis://:a-password@10.0.0.5/0"})
    assert engine["LAKEPROOF_NAME"] == "other"
    assert engine["LAKEPROOF_STATE_DIR"] == str(stack.state_dir)
    assert "a-password" not in str(engine)
    ours = child_environment(stack, RUN, "support-service", OURS)
    assert json.loads(ours["LAKEPROOF_SECRETS"]) == {"mysql-root": "a-password"}
    assert ours["SERVICE_REDIS_URL"] == "redis://:a-password@10.0.0.5/0"


def test_whom_alertmanager_tells_reaches_alertmanager_alone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTMANAGER_SLACK_WEBHOOK_URL", "https://hooks.slack.com/secret")
    found = child_environment(stack, RUN, "alertmanager", OURS)["ALERTMANAGER_SLACK_WEBHOOK_URL"]
    assert found == "https://hooks.slack.com/secret"
    assert "ALERTMANAGER_SLACK_WEBHOOK_URL" not in child_environment(stack, RUN, "desk", OURS)
    assert service_variables({"ALERTMANAGER_EMAIL_TO": "a"}, "order-service") == {}
    assert service_variables({"ALERTMANAGER_EMAIL_TO": "a"}, "alertmanager") == {"ALERTMANAGER_EMAIL_TO": "a"}


@pytest.mark.parametrize(("before", "after"), [({}, "/a/clone"), ({"PYTHONPATH": "/other"}, "/a/clone:/other")])
def test_a_folder_of_modules_comes_before_those_that_are_searched_already(before: dict[str, str], after: str) -> None:
    assert importing_from(Path("/a/clone"), before | {"HOME": "/"}) == {"HOME": "/", "PYTHONPATH": after}
