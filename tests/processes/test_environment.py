"""What children find in their environment."""

from pathlib import Path

import pytest

from lakeproof.processes.environment import child_environment, service_variables, settings_environment
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
            scenario_dirs=[tmp_path / "mine"],
            lake=LakeSettings(checkpoint_seconds=3),
        )
    )


def test_a_child_reads_the_same_settings_again(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in settings_environment(stack).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == stack.settings


def test_a_components_own_variables_win_but_not_over_the_run_id(stack: Stack) -> None:
    environment = child_environment(
        stack, "other-12345678-abcd", "kafka", extra={"TZ": "Asia/Saigon", "LAKEPROOF_RUN_ID": "mine"}
    )
    assert environment["TZ"] == "Asia/Saigon"
    assert environment["LAKEPROOF_RUN_ID"] == "other-12345678-abcd"


def test_whom_alertmanager_tells_reaches_alertmanager_alone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTMANAGER_SLACK_WEBHOOK_URL", "https://hooks.slack.com/secret")
    run = "other-12345678-abcd"
    found = child_environment(stack, run, "alertmanager")["ALERTMANAGER_SLACK_WEBHOOK_URL"]
    assert found == "https://hooks.slack.com/secret"
    assert "ALERTMANAGER_SLACK_WEBHOOK_URL" not in child_environment(stack, run, "desk")
    assert service_variables({"ALERTMANAGER_EMAIL_TO": "a"}, "order-service") == {}
    assert service_variables({"ALERTMANAGER_EMAIL_TO": "a"}, "alertmanager") == {"ALERTMANAGER_EMAIL_TO": "a"}
