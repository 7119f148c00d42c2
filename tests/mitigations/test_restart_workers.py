"""Which workers of Kafka Connect are restarted, and what is waited for."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.processes.states import State
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.replication_lag import repairs


def test_every_worker_that_runs_is_restarted_and_then_the_task_has_to_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    rows = {"kafka": State.RUNNING, "connect": State.RUNNING, "connect-2": State.STOPPED, "connect-3": State.PAUSED}
    client = SimpleNamespace(
        ps=lambda: [SimpleNamespace(name=name, state=state) for name, state in rows.items()], restart=did.append
    )
    monkeypatch.setattr(repairs, "our_processes", lambda *_: client)

    def runs(_: Stack, connector: str, seconds: float) -> str:
        did.append(f"{connector} has to run")
        return "it runs"

    monkeypatch.setattr(repairs, "await_running", runs)
    said = repairs.RestartWorkers(connector="shop").run(stack)
    assert did == ["connect", "connect-3", "shop has to run"]
    assert said == "restarted: connect, connect-3; it runs"


def test_somebody_elses_workers_are_left_alone(tmp_path: Path) -> None:
    where = {"connect": {"http": "http://c:8083"}}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=where))
    with pytest.raises(InvalidInput, match="somebody else's"):
        repairs.RestartWorkers().run(stack)
