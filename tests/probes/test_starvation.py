"""How long a process was kept from running: a busy one, one that is stopped, and one in turns by the limit itself."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.probes import starvation
from lakeproof.probes.looking import Observation
from lakeproof.processes import cpu_limit, procfs, sweep
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A process that is taken for the TaskManager, and computes for longer than any test here.

    Not for ever: where the tests themselves are killed, nobody ends it.
    """
    code = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    monkeypatch.setattr(sweep, "find", lambda *_: [procfs.read_stat(child.pid)])
    yield child.pid
    child.kill()
    child.wait()


def test_a_busy_process_is_not_kept_from_running_and_a_stopped_one_is(stack: Stack, busy: int) -> None:
    assert starvation.kept_from_running(stack, 3.0) == 0.0
    os.kill(busy, signal.SIGSTOP)
    Deadline(5).wait_for("its stop", lambda: ((stat := procfs.read_stat(busy)) and stat.state == "T") or None)
    assert starvation.kept_from_running(stack, 3.0) == 100.0
    assert starvation.cpu_share(stack, 3.0) == 0.0


def test_without_a_process_here_nobody_can_tell_and_nothing_is_out_of_range(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TaskManager of somebody else's stack runs on another machine, and may be well."""
    monkeypatch.setattr(sweep, "find", lambda *_: [])
    probe = next(one for one in starvation.PROBES if one.id == "taskmanager-stopped")
    reading = probe.look(stack)
    assert not reading.answered
    assert not Observation(probe, reading, reading).out_of_range
    assert starvation.cpu_share(stack, 3.0) is None
    assert starvation.throttled(stack, 3.0) is None


def test_a_process_that_runs_between_two_looks_is_not_taken_for_one_that_hangs(stack: Stack, busy: int) -> None:
    """It goes on for 2 ms in each second: most such moments fall between two looks."""
    done = threading.Event()

    def limit() -> None:
        while not done.is_set():
            os.kill(busy, signal.SIGCONT)
            time.sleep(0.002)
            os.kill(busy, signal.SIGSTOP)
            done.wait(1.0)

    os.kill(busy, signal.SIGSTOP)
    working = threading.Thread(target=limit)
    working.start()
    try:
        for _ in range(4):
            stopped, cpu = starvation.kept_from_running(stack, 3.0), starvation.cpu_share(stack, 3.0)
            assert isinstance(stopped, float) and isinstance(cpu, float)
            assert stopped > 9.9 and cpu > 0
    finally:
        done.set()
        working.join(timeout=20)


def test_a_limit_keeps_a_busy_process_to_its_share_and_lets_it_go_on_at_its_end(
    stack: Stack, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Row:
        name, pid, health = "flink-taskmanager", busy, Health.HEALTHY

    class Supervisor:
        gone = False

        def ps(self, _: float) -> list[Any]:
            if self.gone:
                raise CouldNotLook("gone", where="supervisor")
            return [Row()]

    supervisor = Supervisor()
    monkeypatch.setattr(cpu_limit, "SupervisorClient", lambda _: supervisor)
    monkeypatch.setattr(cpu_limit, "GONE_SECONDS", 4.0)
    limit = cpu_limit._Limit(stack, "flink-taskmanager", 5.0)
    working = threading.Thread(target=limit.run)
    working.start()
    try:
        Deadline(1.2).pause(1.2)
        stopped, cpu = starvation.kept_from_running(stack, 3.0), starvation.cpu_share(stack, 3.0)
    finally:
        supervisor.gone = True
        working.join(timeout=20)
    assert isinstance(stopped, float) and isinstance(cpu, float)
    assert stopped > 50 and cpu < 50
    left = procfs.read_stat(busy)
    assert left is not None and left.state != "T"


@pytest.mark.parametrize(
    ("own", "share"),
    [
        ("0::/limited", 90.0),
        # The whole stack's own, and version 1, whose paths are elsewhere.
        ("0::/all", 0.0),
        ("4:cpu:/limited", 0.0),
        # A cgroup without a limit has no periods, and one of another namespace has no file here.
        ("0::/free", 0.0),
        ("0::/../elsewhere", 0.0),
    ],
)
def test_a_cgroup_of_its_own_that_is_throttled_is_told(
    own: str, share: float, stack: Stack, busy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starvation, "PROC", tmp_path / "proc")
    monkeypatch.setattr(starvation, "CGROUPS", tmp_path / "cgroup")
    for pid, cgroup in ((busy, own), (os.getpid(), "1:name=systemd:/x\n0::/all")):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "cgroup").write_text(f"{cgroup}\n")

    def count(periods: int, throttled: int) -> None:
        for name in ("limited", "all"):
            (tmp_path / "cgroup" / name).mkdir(parents=True, exist_ok=True)
            text = f"usage_usec 7\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 9\n"
            (tmp_path / "cgroup" / name / "cpu.stat").write_text(text)

    (tmp_path / "cgroup" / "free").mkdir(parents=True)
    (tmp_path / "cgroup" / "free" / "cpu.stat").write_text("usage_usec 7\n")
    count(100, 40)
    later = threading.Timer(0.4, count, (110, 49))
    later.start()
    try:
        assert starvation.throttled(stack, 3.0) == share
    finally:
        later.join()


def test_a_process_that_was_not_healthy_yet_is_not_limited(
    stack: Stack, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Row:
        name, pid, health = "flink-taskmanager", busy, Health.STARTING

    class Supervisor:
        def ps(self, _: float) -> list[Any]:
            return [Row()]

    monkeypatch.setattr(cpu_limit, "SupervisorClient", lambda _: Supervisor())
    limit = cpu_limit._Limit(stack, "flink-taskmanager", 5.0)
    limit._look()
    assert list(limit._members) == []
    Row.health = Health.HEALTHY
    limit._look()
    Row.health = Health.UNHEALTHY
    limit._look()
    assert [member.pid for member in limit._members] == [busy]
