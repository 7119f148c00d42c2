"""Reading the process table."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes import procfs, sweep
from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.usage import UsageTable


def test_a_command_with_brackets_and_blanks_is_read() -> None:
    fields = "S 10 20 30 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 4242 1000 7 0"
    stat = procfs.parse_stat(f"77 (odd) name (x)) {fields}")
    assert stat.id == procfs.ProcessId(77, 4242)
    assert (stat.command, stat.state, stat.parent, stat.session) == ("odd) name (x)", "S", 10, 30)
    assert stat.cpu_seconds == 200 / procfs.TICKS_PER_SECOND
    assert stat.rss_bytes == 7 * procfs.PAGE_BYTES


def test_a_family_holds_the_session_and_descendants_in_other_sessions() -> None:
    command = ["sh", "-c", "setsid sleep 60 & sleep 60 & echo ready; wait"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None and leader.stdout.readline() == "ready\n"
        family = procfs.family(leader.pid, procfs.read_table())
        assert len(family) == 3
        for stat in family:
            os.kill(stat.id.pid, 9)


def test_a_zombie_is_not_alive() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    process = procfs.identify(child)
    assert process is not None and not procfs.is_alive(process)
    os.waitpid(child, 0)


HEADLESS = f"headless-{os.getpid()}"
# A killed daemon looks like this for a moment: its first thread is a zombie, and its locks and ports are still held.
FIRST_THREAD_ENDS = """
import ctypes, platform, threading, time
while time.process_time() < 0.1:
    pass
threading.Thread(target=lambda: (print("ready", flush=True), time.sleep(60))).start()
ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
"""


@pytest.fixture
def headless() -> Iterator[subprocess.Popen[str]]:
    """A process of the run HEADLESS whose first thread is a zombie while another one lives."""
    command = [sys.executable, "-c", FIRST_THREAD_ENDS]
    environment = os.environ | {RUN_ID: HEADLESS}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"

            def first_thread() -> str | None:
                stat = procfs.read_stat(child.pid)
                return "zombie" if stat is not None and not stat.alive else None

            Deadline(60).wait_for("its first thread's end", first_thread, every=0.02)
            yield child
        finally:
            child.kill()


def test_a_process_runs_as_long_as_one_of_its_threads_does(headless: subprocess.Popen[str]) -> None:
    process = procfs.identify(headless.pid)
    assert process is not None and procfs.is_alive(process)
    headless.kill()
    headless.wait(60)
    assert not procfs.is_alive(process)


def test_a_process_without_its_first_thread_is_still_swept(headless: subprocess.Popen[str]) -> None:
    def owned(run_id: str) -> bool:
        return run_id == HEADLESS

    assert [stat.id.pid for stat in sweep.find(owned)] == [headless.pid]
    assert len(sweep.sweep(owned)) == 1
    assert headless.wait(60) == -signal.SIGTERM


def test_a_process_without_its_first_thread_still_uses_what_it_used(headless: subprocess.Popen[str]) -> None:
    table = UsageTable()
    table.look({"x": headless.pid})
    assert table.of("x").cpu_seconds > 0


def test_another_process_of_the_same_pid_is_not_taken_for_it() -> None:
    me = procfs.identify(os.getpid())
    assert me is not None and procfs.is_alive(me)
    assert not procfs.is_alive(procfs.ProcessId(me.pid, me.start_ticks + 1))
