"""What a connector is told, and when that is taken for done, by a scripted Kafka Connect."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import DeadlineExpired
from lakeproof.lake.capture import commands
from lakeproof.mitigations import connectors as connectors_mitigations
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import repairs as connector_failure_repairs
from lakeproof_shop.scenarios.replication_lag import repairs


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


def soon(
    await_state: Any, stack: Stack, connector: str, wanted: str, seconds: float, *, looks: int, every: float
) -> None:
    """As `await_state`, ten times as fast at least."""
    await_state(stack, connector, wanted, seconds / 40, looks=looks, every=every / 10)


MODULES = (connectors_mitigations, repairs, connector_failure_repairs)
REPAIRS = (
    connectors_mitigations.RestartConnector,
    repairs.ResumeConnector,
    connectors_mitigations.RedeployConnector,
    connector_failure_repairs.TakeFreeServerId,
    repairs.RestartWorkers,
)


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.id)
@pytest.mark.parametrize("stays", [True, False])
def test_no_repair_passes_on_one_look_at_a_task_that_fails_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repair: Any, stays: bool
) -> None:
    worker, stack = Worker("RUNNING", "RUNNING" if stays else "FAILED"), Stack(Settings(state_dir=tmp_path))
    for module in (commands, *MODULES):
        monkeypatch.setattr(module, "send", worker, raising=False)
    monkeypatch.setattr(connectors_mitigations, "register", lambda *_: None)
    monkeypatch.setattr(connector_failure_repairs, "live_config", lambda *_: {connector_failure_repairs.KEY: "7"})
    monkeypatch.setattr("lakeproof.lake.sources.mariadb.replica_ids", lambda _: {7})
    monkeypatch.setattr(repairs, "our_processes", lambda *_: SimpleNamespace(ps=lambda: []))
    monkeypatch.setattr(commands, "await_state", partial(soon, commands.await_state))
    run = partial(repair(connector="orders").run, stack)
    if stays:
        assert "connector orders and its task are RUNNING, 3 looks in a row" in run()
    else:
        with pytest.raises(DeadlineExpired, match="connector orders to be RUNNING; last seen: FAILED RUNNING"):
            run()
