"""The fault that leaves a task to a worker that is gone: what is done in which order, and what it leaves."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.conftest import Answering

from lakeproof.arguments import OfConnector
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.replication_lag import faults

ORDERS = faults.StrandedTask()


class Workers:
    """A supervisor's client. `silence`: for how long nothing has come, None: the topic is empty."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.names = ["mysql", "connect"]
        self.silence: float | None = 0.3
        self.is_stranded = True

    def ps(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.names]

    def running(self) -> bool:
        return bool(self.names)

    def scale(self, name: str, count: int) -> None:
        self.did.append(f"{name} {count}")

    def kill(self, name: str, signal_name: str = "KILL") -> None:
        self.did.append(f"{signal_name} {name}")
        if signal_name == "KILL" and self.is_stranded:
            self.silence = 16.0

    def let_go_on(self, name: str) -> None:
        self.did.append(f"CONT {name}")

    def restart(self, name: str) -> None:
        self.did.append(f"restart {name}")
        self.silence = 0.2


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    made = Workers()
    monkeypatch.setattr(faults, "our_processes", lambda *_: made)
    monkeypatch.setattr(faults, "SupervisorClient", lambda _: made)
    monkeypatch.setattr(faults, "task_state", lambda *_: "RUNNING")
    monkeypatch.setattr(faults, "topic_silence", lambda *_: made.silence)
    monkeypatch.setattr(faults, "_await_task", lambda *asked: made.did.append(f"runs on {asked[-1]}"))
    monkeypatch.setattr(faults, "STRANDED_SECONDS", 0.1)
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
OUT = ["CONT connect", "connect 1", "restart connect"]


def test_it_is_in_once_nothing_comes_and_a_start_anew_takes_it_out(stack: Stack, workers: Workers) -> None:
    ORDERS.inject(stack)
    assert workers.did == MADE and ORDERS.sign(stack).holds
    workers.did.clear()
    ORDERS.remove(stack)
    assert workers.did == OUT and not ORDERS.sign(stack).holds
    # Done again it finds nothing of its own: a second worker is a person's.
    workers.did.clear()
    ORDERS.remove(stack)
    assert workers.did == []


@pytest.mark.parametrize(
    ("state", "silence", "holds"), [("RUNNING", 15.5, True), ("RUNNING", 14.0, False), ("FAILED", 99.0, False)]
)
def test_it_holds_where_a_task_is_said_to_run_and_delivers_nothing(
    stack: Stack, workers: Workers, monkeypatch: pytest.MonkeyPatch, state: str, silence: float, holds: bool
) -> None:
    monkeypatch.setattr(faults, "task_state", lambda *_: state)
    workers.silence = silence
    assert ORDERS.sign(stack).holds is holds


def test_a_task_that_goes_on_is_no_fault_and_what_was_begun_is_taken_back(stack: Stack, workers: Workers) -> None:
    workers.is_stranded = False
    with pytest.raises(DeadlineExpired, match="nobody's"):
        ORDERS.inject(stack)
    assert workers.did == MADE
    workers.did.clear()
    ORDERS.remove(stack)
    assert workers.did == OUT


def test_a_slow_answer_of_kafka_does_not_end_the_wait_for_the_stranded_task(
    stack: Stack, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: Iterator[CouldNotLook | float] = iter([CouldNotLook("no answer", where="kafka"), 16.0])

    def silence(*_: object) -> float:
        seen = next(answers)
        if isinstance(seen, CouldNotLook):
            raise seen
        return seen

    monkeypatch.setattr(faults, "topic_silence", silence)
    monkeypatch.setattr(faults, "STRANDED_SECONDS", 5.0)
    ORDERS.inject(stack)
    assert workers.did == MADE


def test_where_nobody_takes_it_over_no_worker_stays_frozen_and_one_is_left(
    stack: Stack, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(_: Stack, __: OfConnector, by: str, wanted: str) -> None:
        if wanted == "connect-2":
            raise DeadlineExpired("waited", last_seen="nothing")

    monkeypatch.setattr(faults, "_await_task", waits)
    with pytest.raises(DeadlineExpired):
        ORDERS.inject(stack)
    assert workers.did == ["connect 2", "STOP connect", "CONT connect", "connect 1"]


def test_a_persons_own_workers_are_left_alone(stack: Stack, workers: Workers) -> None:
    workers.names.append("connect-3")
    with pytest.raises(InvalidInput, match="connect-3 would be ended"):
        ORDERS.inject(stack)
    ORDERS.remove(stack)
    assert workers.did == []


def test_where_nothing_runs_it_is_out(stack: Stack, workers: Workers) -> None:
    ORDERS.inject(stack)
    workers.names.clear()
    workers.did.clear()
    ORDERS.remove(stack)
    assert workers.did == []


def test_somebody_elses_workers_are_left_alone(tmp_path: Path) -> None:
    where = {"connect": {"http": "http://c:8083"}}
    with pytest.raises(InvalidInput, match="somebody else's"):
        ORDERS.inject(Stack(Settings(mode="external", state_dir=tmp_path, endpoints=where)))


@pytest.mark.parametrize(
    ("state", "by", "is_taken"),
    [("RUNNING", "connect-2", True), ("FAILED", "connect-2", False), ("RUNNING", "connect", False)],
)
def test_the_task_is_taken_over_once_the_second_worker_says_that_it_runs_it(
    answering: Answering, stack: Stack, monkeypatch: pytest.MonkeyPatch, state: str, by: str, is_taken: bool
) -> None:
    host = f"{stack.settings.host}:{stack.port(by)}"
    url = answering(lambda *_: (200, {"tasks": [{"state": state, "worker_id": host}]}))
    monkeypatch.setattr(Stack, "url", lambda *_: f"http://{url}")
    monkeypatch.setattr(faults, "TAKEN_OVER_SECONDS", 5.0 if is_taken else 0.1)
    if is_taken:
        faults._await_task(stack, ORDERS, "connect-2", "connect-2")
    else:
        with pytest.raises(DeadlineExpired, match="to run on connect-2"):
            faults._await_task(stack, ORDERS, "connect-2", "connect-2")
