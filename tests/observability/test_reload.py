"""Rules of a scenario that comes while Prometheus runs: a drill has them loaded, and only then."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.drills.live_world import bring_up
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.observability import alertmanager, prometheus
from lakeproof.observability.reload import renew
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type Answering = Callable[[Callable[[str, str, bytes], tuple[int, object]]], str]

LABELS = {"severity": "high", "team": "kafka", "scenario": "wet-cellar", "component": "mysql"}
TOLD = {"runbook_url": "/runbook/wet-cellar", "summary_vi": "ngập", "summary_en": "wet"}
RULE = {"alert": "CellarWet", "expr": "up == 0", "for": "10m", "labels": LABELS, "annotations": TOLD}


class Prometheus:
    """Takes a reload, or refuses it."""

    def __init__(self) -> None:
        self.status, self.asked = 200, list[tuple[str, str]]()

    def answers(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        self.asked.append((method, path))
        return self.status, b"said so"


@pytest.fixture
def server() -> Prometheus:
    return Prometheus()


@pytest.fixture
def stack(tmp_path: Path, server: Prometheus, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """One whose Prometheus runs, with the rules of its start; `more` is a folder for scenarios, empty so far."""
    (tmp_path / "more").mkdir()
    address = answering(server.answers)
    endpoints = {name: {"http": address} for name in ("prometheus", "alertmanager", "desk")}
    made = Stack(Settings(state_dir=tmp_path / "state", endpoints=endpoints, scenario_dirs=[tmp_path / "more"]))
    prometheus.write_config(made, "drill")
    monkeypatch.setenv("ALERTMANAGER_SLACK_WEBHOOK_URL", "https://slack.test/hook")
    alertmanager.write_config(made, "drill")
    monkeypatch.delenv("ALERTMANAGER_SLACK_WEBHOOK_URL")
    return made


def add_scenario(stack: Stack) -> None:
    folder = stack.settings.scenario_dirs[0] / "wet-cellar"
    folder.mkdir()
    (folder / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "cellar", "rules": [RULE]}]}))


def loaded(stack: Stack) -> bool:
    return (prometheus.rules_dir(stack) / "wet-cellar.yml").exists()


def test_rules_that_are_known_are_not_loaded_again(stack: Stack, server: Prometheus) -> None:
    assert renew(stack, "drill") == ()
    assert server.asked == []


def test_rules_of_a_new_folder_are_loaded_in_the_stacks_timing_once(stack: Stack, server: Prometheus) -> None:
    add_scenario(stack)
    assert [renew(stack, "drill"), renew(stack, "drill")] == [("prometheus",), ()]
    assert server.asked == [("POST", "/-/reload")]
    assert "50s" in (prometheus.rules_dir(stack) / "wet-cellar.yml").read_text()


def test_rules_that_were_refused_are_tried_again(stack: Stack, server: Prometheus) -> None:
    add_scenario(stack)
    server.status = 500
    with pytest.raises(TerminalError, match="said so"):
        renew(stack, "drill")
    assert not loaded(stack)
    server.status = 200
    assert renew(stack, "drill") and loaded(stack)


def test_another_timing_goes_to_both_and_back_and_keeps_who_hears_of_alerts(stack: Stack, server: Prometheus) -> None:
    config = stack.etc_dir("alertmanager") / "alertmanager.yml"
    first = config.read_text()
    assert "slack" in first and config.stat().st_mode & 0o077 == 0
    rules = prometheus.rules_dir(stack) / "replication-lag.yml"
    assert renew(stack, "production") == ("prometheus", "alertmanager")
    assert "for: 2m" in rules.read_text()
    assert yaml.safe_load(config.read_text())["route"]["group_wait"] == "1s"
    assert yaml.safe_load(config.read_text())["receivers"] == yaml.safe_load(first)["receivers"]
    assert config.stat().st_mode & 0o077 == 0
    assert renew(stack, "production") == ()
    assert renew(stack, "drill") == ("prometheus", "alertmanager")
    assert config.read_text() == first and "for: 10s" in rules.read_text()


def test_a_pace_that_was_refused_is_tried_again(stack: Stack, server: Prometheus) -> None:
    config = stack.etc_dir("alertmanager") / "alertmanager.yml"
    first = config.read_text()
    config.write_text(first.replace("group_interval: 1s", "group_interval: 7s"))
    server.status = 500
    with pytest.raises(TerminalError, match="said so"):
        renew(stack, "drill")
    assert "7s" in config.read_text()
    server.status = 200
    assert renew(stack, "drill") == ("alertmanager",)
    assert config.read_text() == first


def test_a_reload_that_may_have_been_done_although_it_was_not_answered_is_done_again(
    stack: Stack, server: Prometheus
) -> None:
    server.status = 504
    with pytest.raises(TerminalError):
        renew(stack, "production")
    server.status = 200
    assert renew(stack, "drill") == ("prometheus",)  # the files say so already; what runs may not
    assert renew(stack, "drill") == ()


def test_a_prometheus_that_is_away_is_told(stack: Stack, server: Prometheus) -> None:
    away = Stack(stack.settings.model_copy(update={"endpoints": {"prometheus": {"http": "127.0.0.1:9"}}}))
    add_scenario(stack)
    with pytest.raises(CouldNotLook, match="no answer"):
        renew(away, "drill")
    assert not loaded(stack)


def test_a_drill_on_a_running_stack_loads_them(
    stack: Stack, server: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_missing(client: SupervisorClient, names: Sequence[str], tell: Any) -> list[str]:
        return []

    monkeypatch.setattr(SupervisorClient, "up", nothing_missing)
    add_scenario(stack)
    told: list[str] = []
    bring_up(stack, ["mysql"], told.append, "drill")
    assert not loaded(stack)  # without Prometheus there is nothing to tell
    bring_up(stack, ["mysql", "alertmanager"], told.append, "drill")
    assert loaded(stack) and "rules" in told[-1]
