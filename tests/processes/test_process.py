"""One process of a component: who belongs to it, and who never does."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes import process, procfs
from lakeproof.processes.process import Exit, Process
from lakeproof.processes.signalling import send
from lakeproof.stack.component import Command

# Its leader ends once the child that it leaves behind runs.
LEAVES_A_CHILD = ("sh", "-c", "sleep 60 & echo $!")
DAEMON, NOBODY = 1, 65534  # user ids


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's session."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as leader:
        yield leader
        leader.kill()


async def collected(of: procfs.ProcessId) -> Process:
    """A process whose leader had that identity and was collected."""
    exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    exited.set_result(Exit(0))
    return Process(of, exited)


async def test_whoever_has_a_collected_leaders_pid_now_is_somebody_else(foreign: subprocess.Popen[bytes]) -> None:
    gone = await collected(procfs.ProcessId(foreign.pid, 1))
    assert gone.members() == [] and gone.signal_all(signal.SIGKILL) == 0
    assert foreign.poll() is None


async def test_a_session_seen_empty_at_its_leaders_collection_stays_empty_when_its_number_comes_round(
    tmp_path: Path,
) -> None:
    gone = process.start(Command(("true",)), os.environ, tmp_path / "log", tmp_path)
    await gone.exited
    with subprocess.Popen(LEAVES_A_CHILD, start_new_session=True, stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        child = procfs.identify(int(leader.stdout.readline()))
        leader.wait()
        gone.id = procfs.ProcessId(leader.pid, 1)  # somebody's leader had the number, and left this child
        try:
            assert child is not None and gone.signal_all(signal.SIGKILL) == 0 and procfs.is_alive(child)
        finally:
            os.killpg(leader.pid, signal.SIGKILL)


async def test_what_a_collected_leader_leaves_in_its_session_is_still_its_own(tmp_path: Path) -> None:
    ended = process.start(Command(LEAVES_A_CHILD), os.environ, tmp_path / "log", tmp_path)
    await ended.exited
    (child,) = ended.members()
    assert child.id.pid == int((tmp_path / "log").read_text()) and ended.signal_all(signal.SIGKILL) == 1

    async def ended_too() -> bool | None:
        return None if procfs.is_alive(child.id) else True

    await Deadline(60).wait_for_async("its end", ended_too, every=0.02)
    assert ended.members() == []


def test_a_process_that_may_not_be_signalled_is_told_and_passed_over(
    foreign: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    root = os.geteuid() == 0  # who is not root may signal no process of root's, and root one that is not its own
    with subprocess.Popen(["sleep", "60"], start_new_session=True, user=NOBODY if root else None) as other:
        theirs, own = procfs.identify(other.pid if root else 1), procfs.identify(foreign.pid)
        assert theirs is not None and own is not None
        os.seteuid(DAEMON if root else os.geteuid())
        try:
            assert send(signal.SIGCONT, [theirs, own]) == 1
        finally:
            os.seteuid(0 if root else os.geteuid())
            other.kill()
    assert f"pid {theirs.pid} may not be sent SIGCONT" in caplog.text
