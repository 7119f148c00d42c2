"""Rules of a scenario that comes while Prometheus runs: a drill has them loaded, and only then."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Answering

from lakeproof.drills.live_world import bring_up
from lakeproof.drills.run import one_drill
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.observability import alertmanager, prometheus
from lakeproof.observability.drill_windows import abandoned, borrow, lock_file, timing_now
from lakeproof.observability.reload import give_back, give_back_abandoned, renew
from lakeproof.observability.timing import Timing
from lakeproof.processes.client import SupervisorClient
from lakeproof.provisioning import alertmanager as alertmanager_start
from lakeproof.provisioning import prometheus as prometheus_start
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

LABELS = {"severity": "high", "team": "kafka", "scenario": "wet-cellar", "component": "mysql"}
TOLD = {"runbook_url": "/runbook/wet-cellar", "summary_vi": "ngập", "summary_en": "wet", "metric": "up", "value": "0"}
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
    with pytest.raises(TerminalError, match=r"said so.*Next: .*lakeproof logs"):
        renew(stack, "drill")
    assert not loaded(stack)
    with pytest.raises(TerminalError):
        renew(stack, "production")
    assert "evaluation_interval: 1s" in (stack.etc_dir("prometheus") / "prometheus.yml").read_text()
    server.status = 200
    assert renew(stack, "drill") and loaded(stack)


def test_another_timing_goes_to_both_and_back_and_keeps_who_hears_of_alerts(stack: Stack, server: Prometheus) -> None:
    config = stack.etc_dir("alertmanager") / "alertmanager.yml"
    first = config.read_text()
    assert "slack" in first and config.stat().st_mode & 0o077 == 0
    rules = prometheus.rules_dir(stack) / "replication-lag.yml"
    pace = stack.etc_dir("prometheus") / "prometheus.yml"
    assert "evaluation_interval: 1s" in pace.read_text()
    assert renew(stack, "production") == ("prometheus", "alertmanager")
    assert "for: 2m" in rules.read_text()
    assert "evaluation_interval: 5s" in pace.read_text()
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
    with pytest.raises(TerminalError, match=r"said so.*Next: .*lakeproof logs"):
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


def killed_drill(stack: Stack, timing: Timing) -> None:
    """A process that borrowed the windows as a drill does, and was killed."""
    renew(stack, timing)
    code = (
        "import os; from lakeproof.observability.drill_windows import borrow; "
        "from lakeproof.stack.stack import load_stack; "
        f"borrow(load_stack(), {timing!r}); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "LAKEPROOF_STATE_DIR": str(stack.state_dir)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL


def in_production_windows(stack: Stack) -> bool:
    pace = yaml.safe_load((stack.etc_dir("alertmanager") / "alertmanager.yml").read_text())["route"]["group_wait"]
    return "for: 2m" in (prometheus.rules_dir(stack) / "replication-lag.yml").read_text() and pace == "1s"


def before_start(stack: Stack) -> None:
    """What is written before each start of the two programs."""
    prometheus_start.prepare(stack)
    alertmanager_start.prepare(stack)


def test_the_windows_of_a_drill_that_was_killed_are_given_back_once(stack: Stack, server: Prometheus) -> None:
    killed_drill(stack, "drill")
    assert not in_production_windows(stack)
    assert give_back_abandoned(stack) == ("prometheus", "alertmanager")
    assert in_production_windows(stack)
    assert (give_back_abandoned(stack), abandoned(stack)) == ((), False)


def test_they_are_tried_again_until_prometheus_takes_them(stack: Stack, server: Prometheus) -> None:
    killed_drill(stack, "drill")
    server.status = 500
    with pytest.raises(TerminalError):
        give_back_abandoned(stack)
    server.status = 200
    assert give_back_abandoned(stack) and in_production_windows(stack)


def test_the_windows_of_a_drill_that_lives_are_left_to_it_and_a_restarted_prometheus_has_them(stack: Stack) -> None:
    with one_drill(stack):
        assert timing_now(stack) == "production"  # it has not changed any yet
        borrow(stack, "drill")
        renew(stack, "drill")
        assert (give_back_abandoned(stack), timing_now(stack)) == ((), "drill")
        before_start(stack)
        assert not in_production_windows(stack)
        give_back(stack)
    assert in_production_windows(stack) and timing_now(stack) == "production"


def test_the_next_drill_gives_back_what_a_killed_one_left_even_if_it_is_killed_too(stack: Stack) -> None:
    killed_drill(stack, "drill")
    with one_drill(stack):
        assert give_back_abandoned(stack) == ()
        give_back(stack)
    assert in_production_windows(stack)
    killed_drill(stack, "drill")
    with one_drill(stack):
        words = lock_file(stack).read_text()
    assert words.endswith(" drill") and words.startswith(f"{os.getpid()} ")


def test_a_restarted_prometheus_goes_by_production_windows_once_the_drill_was_killed(stack: Stack) -> None:
    killed_drill(stack, "drill")
    before_start(stack)
    assert in_production_windows(stack)


def test_a_drill_on_a_running_stack_loads_them(
    stack: Stack, server: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_missing(client: SupervisorClient, names: Sequence[str], tell: Any) -> list[str]:
        return []

    monkeypatch.setattr(SupervisorClient, "up", nothing_missing)
    add_scenario(stack)
    told: list[str] = []
    monkeypatch.setattr(SupervisorClient, "ps", lambda client: [])
    bring_up(stack, ["mysql"], told.append, "drill")
    assert not loaded(stack)  # without Prometheus there is nothing to tell
    bring_up(stack, ["mysql", "alertmanager"], told.append, "drill")
    assert loaded(stack) and "rules" in told[-1]
