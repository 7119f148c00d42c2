"""Lifting a limit of processor time: what was limited or stopped goes on, and where nothing was, the step fails."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.processes import cpu_limit, procfs, sweep
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.kafka_backlog import repairs


class Supervisor:
    """It passes SIGCONT on to one process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def let_go_on(self, component: str) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def taskmanager(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A process that is taken for the TaskManager."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    monkeypatch.setattr(sweep, "find", lambda *_: [procfs.read_stat(child.pid)])
    monkeypatch.setattr(cpu_limit, "SupervisorClient", lambda _: Supervisor(child.pid))
    yield child.pid
    child.kill()
    child.wait()


def stopped(pid: int) -> bool:
    stat = procfs.read_stat(pid)
    return stat is not None and stat.state == "T"


def test_where_nothing_is_limited_here_the_step_fails_and_points_to_the_container(
    stack: Stack, taskmanager: int
) -> None:
    with pytest.raises(TerminalError, match=r"cpu\.max"):
        repairs.LiftCpuLimit().run(stack)


def test_one_that_a_killed_limit_left_behind_goes_on(stack: Stack, taskmanager: int) -> None:
    os.kill(taskmanager, signal.SIGSTOP)
    Deadline(5).wait_for("its stop", lambda: stopped(taskmanager) or None)
    assert "is limited no more" in repairs.LiftCpuLimit().run(stack)
    Deadline(5).wait_for("it to go on", lambda: not stopped(taskmanager) or None)
