"""What a connector is told, and when that is taken for done, by a scripted Kafka Connect."""

from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import DeadlineExpired
from lakeproof.lake.capture import commands
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Worker:
    """The task's states, one for each look; the last one stays. `asked`: the requests that change something."""

    def __init__(self, *states: str | None) -> None:
        self.states = list(states)
        self.asked: list[str] = []

    def __call__(self, _: Stack, method: str, path: str, **__: Any) -> Any:
        if method != "GET":
            self.asked.append(path)
            return None
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return None if state is None else {"connector": {"state": "RUNNING"}, "tasks": [{"state": state}]}


@pytest.mark.parametrize(
    ("states", "is_restarted", "stays"),
    [
        (["RUNNING"], False, True),
        (["PAUSED"], False, True),
        ([None], False, True),
        (["FAILED", "RESTARTING", "RUNNING", "RUNNING", "RUNNING"], True, True),
        # One that fails again does so at its first record, after it has said that it runs.
        (["FAILED", "RUNNING", "RUNNING", "FAILED"], True, False),
        (["FAILED"], True, False),
        (["FAILED", "RESTARTING"], True, False),
    ],
)
def test_what_failed_is_started_and_has_to_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: list[str | None], is_restarted: bool, stays: bool
) -> None:
    worker, stack = Worker(*states), Stack(Settings(state_dir=tmp_path))
    monkeypatch.setattr(commands, "send", worker)
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(commands, "CALM_SECONDS", 0.1)
    if stays:
        commands.restart_failed(stack, "orders")
    else:
        with pytest.raises(DeadlineExpired, match=f"last seen: .*{states[-1]}"):
            commands.restart_failed(stack, "orders")
    assert worker.asked == (["/connectors/orders/restart?includeTasks=true&onlyFailed=true"] if is_restarted else [])
