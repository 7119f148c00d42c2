"""Rules of a scenario that comes while Prometheus runs: a drill has them loaded, and only then."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.drills.live import bring_up
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.observability.reload import renew_rules
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import prometheus
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
def stack(tmp_path: Path, server: Prometheus, answering: Answering) -> Stack:
    """One whose Prometheus runs, with the rules of its start; `more` is a folder for scenarios, empty so far."""
    (tmp_path / "more").mkdir()
    endpoints = {"prometheus": {"http": answering(server.answers)}}
    made = Stack(Settings(state_dir=tmp_path / "state", endpoints=endpoints, scenario_dirs=[tmp_path / "more"]))
    prometheus.write_config(made, "drill")
    return made


def add_scenario(stack: Stack) -> None:
    folder = stack.settings.scenario_dirs[0] / "wet-cellar"
    folder.mkdir()
    (folder / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "cellar", "rules": [RULE]}]}))


def loaded(stack: Stack) -> bool:
    return (prometheus.rules_dir(stack) / "wet-cellar.yml").exists()


def test_rules_that_are_known_are_not_loaded_again(stack: Stack, server: Prometheus) -> None:
    assert renew_rules(stack) is False
    assert server.asked == []


def test_rules_of_a_new_folder_are_loaded_in_the_stacks_timing_once(stack: Stack, server: Prometheus) -> None:
    add_scenario(stack)
    assert [renew_rules(stack), renew_rules(stack)] == [True, False]
    assert server.asked == [("POST", "/-/reload")]
    assert "50s" in (prometheus.rules_dir(stack) / "wet-cellar.yml").read_text()


def test_rules_that_were_refused_are_tried_again(stack: Stack, server: Prometheus) -> None:
    add_scenario(stack)
    server.status = 500
    with pytest.raises(TerminalError, match="said so"):
        renew_rules(stack)
    assert not loaded(stack)
    server.status = 200
    assert renew_rules(stack) and loaded(stack)


def test_a_prometheus_that_is_away_is_told(stack: Stack, server: Prometheus) -> None:
    away = Stack(stack.settings.model_copy(update={"endpoints": {"prometheus": {"http": "127.0.0.1:9"}}}))
    add_scenario(stack)
    with pytest.raises(CouldNotLook, match="no answer"):
        renew_rules(away)
    assert not loaded(stack)


def test_a_drill_on_a_running_stack_loads_them(
    stack: Stack, server: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_missing(client: SupervisorClient, names: Sequence[str], tell: Any) -> list[str]:
        return []

    monkeypatch.setattr(SupervisorClient, "up", nothing_missing)
    add_scenario(stack)
    told: list[str] = []
    bring_up(stack, ["mysql"], told.append)
    assert not loaded(stack)  # without Prometheus there is nothing to tell
    bring_up(stack, ["mysql", "alertmanager"], told.append)
    assert loaded(stack) and "rules" in told[-1]
