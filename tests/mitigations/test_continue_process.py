"""A hung process goes on, and the step that follows finds it healthy."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.mitigations import processes as processes_mitigations
from lakeproof.processes.states import Health, State
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

STEP = processes_mitigations.ContinueProcess(component="redis")


class Supervisor:
    """Its redis is as it is said to be at each look, the last one again and again."""

    def __init__(self, *looks: tuple[State, Health]) -> None:
        self.looks, self.sent = list(looks), 0

    def row(self, name: str) -> SimpleNamespace:
        state, health = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return SimpleNamespace(state=state, health=health)

    def kill(self, name: str, signal: str) -> int:
        self.sent += 1
        return 1


def run(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    monkeypatch.setattr(processes_mitigations, "our_processes", lambda *_: supervisor)
    return STEP.run(Stack(Settings(state_dir=folder)))


def test_it_returns_once_the_supervisor_has_seen_it_healthy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ill, well = (State.RUNNING, Health.UNHEALTHY), (State.RUNNING, Health.HEALTHY)
    supervisor = Supervisor((State.PAUSED, Health.UNHEALTHY), ill, ill, well)
    assert run(supervisor, monkeypatch, tmp_path).endswith("it is healthy again")
    assert supervisor.looks == [well]


def test_one_that_does_not_hang_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    supervisor = Supervisor((State.RUNNING, Health.UNHEALTHY))
    assert run(supervisor, monkeypatch, tmp_path) == "SIGCONT sent to 1 processes of redis"


def test_one_that_stays_ill_is_told_and_left_to_the_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes_mitigations, "HEALTHY_SECONDS", 0.5)
    supervisor = Supervisor((State.PAUSED, Health.UNHEALTHY), (State.RUNNING, Health.UNHEALTHY))
    assert "not healthy 0.5 s later" in run(supervisor, monkeypatch, tmp_path)
