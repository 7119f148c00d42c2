"""The fault that leaves a task to a worker that is gone: what is done in which order, and what it leaves."""

from pathlib import Path

import pytest

from lakeproof.arguments import OfConnector
from lakeproof.errors import DeadlineExpired, InvalidInput
from lakeproof.faults import stranded_task
from lakeproof.probes.connect import GONE, THERE
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

ORDERS = OfConnector()


class Workers:
    """A supervisor's client. `is_stranded`: whether the last kill leaves the task to nobody."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.worker: str | None = THERE
        self.is_stranded = True

    def running(self) -> bool:
        return True

    def scale(self, name: str, count: int) -> None:
        self.did.append(f"{name} {count}")

    def kill(self, name: str, signal_name: str = "KILL") -> None:
        self.did.append(f"{signal_name} {name}")
        if signal_name == "KILL" and self.is_stranded:
            self.worker = GONE

    def let_go_on(self, name: str) -> None:
        self.did.append(f"CONT {name}")

    def restart(self, name: str) -> None:
        self.did.append(f"restart {name}")
        self.worker = THERE


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    made = Workers()
    monkeypatch.setattr(stranded_task, "our_processes", lambda *_: made)
    monkeypatch.setattr(stranded_task, "SupervisorClient", lambda _: made)
    monkeypatch.setattr(stranded_task, "task_worker", lambda *_: made.worker)
    monkeypatch.setattr(stranded_task, "_await_task", lambda *asked: made.did.append(f"runs on {asked[-1]}"))
    monkeypatch.setattr(stranded_task, "STRANDED_SECONDS", 0.1)
    return made


MADE = [
    "connect 2",
    "runs on connect",
    "STOP connect",
    "runs on connect-2",
    "CONT connect",
    "KILL connect-2",
    "connect 1",
]


def test_it_is_in_once_the_worker_is_gone_and_a_start_anew_takes_it_out(stack: Stack, workers: Workers) -> None:
    stranded_task.inject(stack, ORDERS)
    assert workers.did == MADE and stranded_task.sign(stack, ORDERS).holds
    workers.did.clear()
    stranded_task.remove(stack, ORDERS)
    assert workers.did == ["CONT connect", "connect 1", "restart connect"]
    assert not stranded_task.sign(stack, ORDERS).holds
    workers.did.clear()
    stranded_task.remove(stack, ORDERS)
    assert workers.did == ["CONT connect", "connect 1"]


def test_a_task_that_goes_on_is_no_fault(stack: Stack, workers: Workers) -> None:
    workers.is_stranded = False
    with pytest.raises(DeadlineExpired, match="nobody's"):
        stranded_task.inject(stack, ORDERS)
    assert workers.did == MADE


def test_where_nobody_takes_it_over_no_worker_stays_frozen_and_one_is_left(
    stack: Stack, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(_: Stack, __: OfConnector, by: str, wanted: str) -> None:
        if wanted == "connect-2":
            raise DeadlineExpired("waited", last_seen="nothing")

    monkeypatch.setattr(stranded_task, "_await_task", waits)
    with pytest.raises(DeadlineExpired):
        stranded_task.inject(stack, ORDERS)
    assert workers.did == ["connect 2", "STOP connect", "CONT connect", "connect 1"]


def test_somebody_elses_workers_are_left_alone(tmp_path: Path) -> None:
    where = {"connect": {"http": "http://c:8083"}}
    with pytest.raises(InvalidInput, match="somebody else's"):
        stranded_task.inject(Stack(Settings(mode="external", state_dir=tmp_path, endpoints=where)), ORDERS)
