"""The slow road to the object store: one process takes it from its next start on, until it is given its own again."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.faults import roads
from lakeproof.lake.job import store_road
from lakeproof.probes.object_store import LATE_SECONDS, taskmanager_delay
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.engines.flink_config import config_yaml, road_of
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.kafka_backlog import faults, repairs
from lakeproof_shop.scenarios.kafka_backlog.faults import LateStore

ARGUMENTS = LateStore(seconds=0.9)


class Supervisor:
    """Starts the TaskManager by writing its configuration, as its `prepare` does."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.starts = 0
        self.running = lambda: True

    def row(self, name: str) -> object:
        return SimpleNamespace(pid=os.getpid())

    def restart(self, name: str) -> None:
        self.starts += 1
        etc = self.stack.etc_dir(name)
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "config.yaml").write_text(config_yaml(self.stack, name))


@pytest.fixture
def stack(tmp_path: Path, answering: Answering) -> Iterator[Stack]:
    """Its object store answers at once."""
    made = Stack(Settings(state_dir=tmp_path, endpoints={"minio": {"http": answering(lambda *_: (200, b""))}}))
    yield made
    roads.end_roads(roads.find_roads(made, faults.ROAD))


@pytest.fixture
def supervisor(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    made = Supervisor(stack)
    monkeypatch.setattr(roads, "SupervisorClient", lambda stack: made)
    for module in (faults, store_road):
        monkeypatch.setattr(module, "our_processes", lambda stack, what: made)
    made.restart(TASKMANAGER)
    return made


def test_the_taskmanager_alone_is_answered_late_until_it_has_its_own_road(
    stack: Stack, supervisor: Supervisor
) -> None:
    assert min(float(str(taskmanager_delay(stack, 3.0))) for _ in range(3)) < LATE_SECONDS
    for _ in range(2):
        ARGUMENTS.inject(stack)
    assert supervisor.starts == 2
    assert ARGUMENTS.sign(stack).holds
    began = time.monotonic()
    socket.create_connection(stack.host_port("minio", "http"), timeout=1).close()
    assert time.monotonic() - began < LATE_SECONDS
    repairs.RestoreStoreRoad().run(stack)
    assert not ARGUMENTS.sign(stack).holds
    for _ in range(2):
        ARGUMENTS.remove(stack)
    assert supervisor.starts == 3
    Deadline(5).wait_for("no road", lambda: None if roads.find_roads(stack, faults.ROAD) else True, every=0.05)


def test_a_road_that_is_slower_than_we_wait_is_late_while_the_store_answers_us(
    stack: Stack, supervisor: Supervisor
) -> None:
    faults.LateStore(seconds=4).inject(stack)
    assert float(str(taskmanager_delay(stack, 2.0))) > LATE_SECONDS


def test_a_store_that_answers_nobody_in_time_is_not_late(tmp_path: Path) -> None:
    """It hangs, which its own probe tells; whether the road to it is slow nobody can say."""
    with socket.create_server(("127.0.0.1", 0)) as road, socket.create_server(("127.0.0.1", 0)) as store:
        silent = Stack(
            Settings(state_dir=tmp_path, endpoints={"minio": {"http": f"127.0.0.1:{store.getsockname()[1]}"}})
        )
        with pytest.raises(CouldNotLook):
            taskmanager_delay(silent, 1.0)
        etc = silent.etc_dir(TASKMANAGER)
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "config.yaml").write_text(f's3.endpoint: "http://127.0.0.1:{road.getsockname()[1]}"\n')
        with pytest.raises(CouldNotLook):
            taskmanager_delay(silent, 1.0)


def test_a_repair_that_has_nothing_to_restore_points_to_the_store(stack: Stack, supervisor: Supervisor) -> None:
    with pytest.raises(TerminalError, match="look at the store itself"):
        repairs.RestoreStoreRoad().run(stack)
    assert supervisor.starts == 1


def test_one_that_was_cut_off_before_the_restart_is_restarted_the_next_time(
    stack: Stack, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ARGUMENTS.inject(stack)
    monkeypatch.setattr(supervisor, "restart", lambda name: (_ for _ in ()).throw(TerminalError("cut off")))
    with pytest.raises(TerminalError, match="cut off"):
        ARGUMENTS.remove(stack)
    monkeypatch.undo()
    monkeypatch.setattr(store_road, "our_processes", lambda stack, what: supervisor)
    ARGUMENTS.remove(stack)
    assert supervisor.starts == 3
    assert road_of(stack, TASKMANAGER) == stack.url("minio")
