"""A benchmark's own stack: gone afterwards, and after a kill -9 at the next benchmark's start."""

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import CLONE
from benchmarks.own_stack import PORTS_BESIDE, own_stack
from lakeproof.deadline import Deadline
from lakeproof.errors import PortTaken
from lakeproof.processes import ports, sweep
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

KILLED = """
import sys, time
from benchmarks.own_stack import own_stack
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof.stack.settings import Settings

with own_stack(Stack(Settings(port_shift=int(sys.argv[1])))) as own:
    SupervisorClient(own).up(["mail-sink"])
    print(own.settings.name, own.state_dir, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Beside it, where a benchmark's own stack would be, every port is free."""
    components = SupervisorClient(Stack(Settings(state_dir=tmp_path))).components
    # Shifts at which no port is one that the small stacks of tests/processes may take a moment later.
    for shift in random.sample(range(9145, 10300, 200), 6):
        beside = Stack(Settings(port_shift=shift + PORTS_BESIDE))
        with suppress(PortTaken):
            ports.check_free([components["mail-sink"]], beside, supervisor=True)
            return Stack(Settings(port_shift=shift))
    pytest.fail("no free ports in six tries")


def test_what_a_killed_benchmark_left_is_ended_and_deleted_by_the_next(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stranger = tmp_path / "lakeproof-bench-somebody"
    stranger.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(stack.settings.port_shift)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CLONE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as killed:
        assert killed.stdout is not None
        name, folder = killed.stdout.readline().split()
        killed.send_signal(signal.SIGKILL)
    settings = stack.settings.model_copy(update={"name": name, "state_dir": Path(folder)})
    left = Stack(settings)
    assert SupervisorClient(left).running()
    with own_stack(stack) as own:
        assert not SupervisorClient(left).running()
        Deadline(5).wait_for("the end of all that was left", lambda: not sweep.find(Runtime(left).owns) or None)
        assert not Path(folder).exists()
        assert own.state_dir.is_dir()
        with own_stack(stack) as second:
            assert own.state_dir.is_dir()  # its benchmark lives
            assert second.state_dir != own.state_dir
    assert list(tmp_path.iterdir()) == [stranger]
