"""kill -9 of each part of the path while shoppers buy: it comes back by itself, and `check` finds every order."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes import lock, procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
VICTIMS = ("connect", "kafka", "flink-taskmanager", "mysql", "minio", "publisher", "nessie", "trino", "desk")
ORDERS_PER_SECOND = 30


def assert_clean(lakeproof: Run) -> dict[str, Any]:
    """Every acknowledged order is in MariaDB and in the lake, as it was acknowledged. Gives the report."""
    done = lakeproof("check", "--wait-seconds", "120", "--json", seconds=240)
    report: dict[str, Any] = json.loads(done.out)
    assert (done.code, report["verdict"]) == (0, "passed"), done.err[-3000:] + done.out[-3000:]
    return report


@pytest.fixture(scope="module")
def shopping(whole_stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """Shoppers that buy until the module ends."""
    SupervisorClient(whole_stack).up()
    sent = [str(PROGRAM), "traffic", "--rate", str(ORDERS_PER_SECOND), "--seconds", "3600", "--json"]
    shoppers = subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield shoppers
    shoppers.kill()
    shoppers.wait()


@pytest.mark.parametrize("name", VICTIMS)
def test_what_is_killed_comes_back_and_nothing_is_lost(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str], name: str
) -> None:
    client = SupervisorClient(whole_stack)
    before = client.row(name)
    assert client.kill(name) > 0

    def back() -> ProcessRow | None:
        row = client.row(name)
        return row if row.pid not in (None, before.pid) and row.health is Health.HEALTHY else None

    Deadline(120).wait_for(f"{name} to be back", back, seen=lambda: str(client.row(name)))
    assert shopping.poll() is None
    assert_clean(lakeproof)


def test_after_kill_9_of_the_daemon_up_goes_on(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str]
) -> None:
    client = SupervisorClient(whole_stack)
    daemon = lock.living_holder(client.runtime)
    assert daemon is not None
    os.kill(daemon.pid, signal.SIGKILL)
    Deadline(10).wait_for("the daemon's end", lambda: None if procfs.is_alive(daemon.process) else True, every=0.05)
    assert lakeproof("up", seconds=240).code == 0
    assert shopping.poll() is None
    assert_clean(lakeproof)


def test_all_that_was_acknowledged_meanwhile_is_there(lakeproof: Run, shopping: subprocess.Popen[str]) -> None:
    shopping.send_signal(signal.SIGINT)
    out, _ = shopping.communicate(timeout=150)
    acknowledged = json.loads(out)["acknowledged"]
    assert acknowledged > 1000
    report = assert_clean(lakeproof)
    print(f"kill -9 series: {acknowledged} calls acknowledged;", json.dumps(report)[:2000])
    assert json.loads(lakeproof("diagnose", "--json", seconds=60).out)["healthy"] is True
