"""A component that falters: it stands still for a moment, goes on by itself, and goes on whatever ends that."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults import faltering_process
from lakeproof.faults.faltering_process import FalteringProcess
from lakeproof.processes import detached, procfs
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import Stack

ARGUMENTS = FalteringProcess(component="connect")


class Over(Exception):
    """The test has seen enough."""


class Supervisor:
    """Of one component. `looks`: so often it tells of it, before it ends whoever asks."""

    def __init__(self, pid: int | None, health: Health = Health.HEALTHY, looks: int = 1) -> None:
        self.pid, self.health, self.looks = pid, health, looks
        self.state, self.went_on = State.RUNNING, 0

    def row(self, component: str) -> SimpleNamespace:
        self.looks -= 1
        if self.looks < 0:
            raise Over
        return SimpleNamespace(pid=self.pid, health=self.health, state=self.state)

    def let_go_on(self, component: str) -> None:
        self.went_on += 1


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    made = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield made
    made.kill()
    made.wait()


def stopped(pid: int) -> bool:
    stat = procfs.read_stat(pid)
    return stat is not None and stat.state == procfs.STOPPED


def use(monkeypatch: pytest.MonkeyPatch, supervisor: Supervisor) -> Supervisor:
    monkeypatch.setattr(faltering_process, "SupervisorClient", lambda stack: supervisor)
    monkeypatch.setattr(faltering_process, "our_processes", lambda stack, what: supervisor)
    return supervisor


def test_it_stands_still_for_a_moment_and_goes_on_by_itself(
    stack: Stack, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Supervisor(child.pid))

    def falter() -> None:
        with pytest.raises(Over):
            faltering_process.falter(stack, "connect", 0.5, 3.0)

    at_work = threading.Thread(target=falter)
    at_work.start()
    Deadline(5).wait_for("its stop", lambda: stopped(child.pid) or None, every=0.02)
    Deadline(5).wait_for("it to go on", lambda: not stopped(child.pid) or None, every=0.02)
    assert at_work.is_alive()
    at_work.join()


def test_whatever_ends_the_faltering_the_component_goes_on(
    stack: Stack, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Supervisor(child.pid))

    def end(seconds: float) -> None:
        Deadline(5).wait_for("its stop", lambda: stopped(child.pid) or None, every=0.02)
        raise SystemExit

    monkeypatch.setattr(faltering_process, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=end))
    with pytest.raises(SystemExit):
        faltering_process.falter(stack, "connect", 2.0, 10.0)
    Deadline(5).wait_for("it to go on", lambda: not stopped(child.pid) or None, every=0.02)


def test_a_process_that_is_not_healthy_yet_is_left_alone(
    stack: Stack, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Supervisor(child.pid, Health.STARTING))
    sent: list[int] = []
    monkeypatch.setattr(faltering_process, "send", lambda number, members: sent.extend([number] * len(members)))
    with pytest.raises(Over):
        faltering_process.falter(stack, "connect", 0.0, 0.0)
    assert sent == []


def test_it_has_landed_where_the_component_stands_still_by_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = use(monkeypatch, Supervisor(7, looks=9))
    found: list[int] = []
    monkeypatch.setattr(detached, "find", lambda stack, name: found)
    supervisor.state = State.PAUSED  # somebody else's SIGSTOP
    assert not ARGUMENTS.sign(stack).holds
    found.append(8)
    assert ARGUMENTS.sign(stack).holds
    supervisor.state = State.RUNNING
    assert not ARGUMENTS.sign(stack).holds


def test_its_removal_has_the_component_go_on_also_where_what_stopped_it_was_killed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = use(monkeypatch, Supervisor(7))
    ARGUMENTS.remove(stack)
    assert supervisor.went_on == 1


def test_what_does_not_run_cannot_falter(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Supervisor(None))
    with pytest.raises(TerminalError, match="no process"):
        ARGUMENTS.inject(stack)


def test_the_process_that_stops_it_is_there_once_and_ends(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """No supervisor answers it, so it stops nothing."""
    use(monkeypatch, Supervisor(7, looks=9))
    name = faltering_process._name("connect")
    try:
        for _ in range(2):
            ARGUMENTS.inject(stack)
        assert len(detached.find(stack, name)) == 1
    finally:
        ARGUMENTS.remove(stack)
    assert detached.find(stack, name) == []
