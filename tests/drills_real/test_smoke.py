"""The smoke test of `make test`: the whole path of an order on real engines, in some three minutes.

It starts the path, lets shoppers buy, kills the TaskManager with kill -9 meanwhile, deletes the connector behind
Lakeproof's back, has both found and mended, and compares every acknowledged order. At the end nothing is left.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.drills_real.health import assert_clean, await_health, brief, diagnosed, first_hash, named

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

LAKEPROOF = str(Path(sys.executable).with_name("lakeproof"))
TASKMANAGER = "flink-taskmanager"
RATE = 20
SHOPPING_SECONDS = 30
BACK_SECONDS = 120.0


def told(step: str, since: float) -> None:
    print(f"{step:60} {time.monotonic() - since:5.0f} s", flush=True)


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> SupervisorClient:
    """The path of an order, started as a person starts it, and healthy."""
    since = time.monotonic()
    done = lakeproof("up", seconds=300)
    assert done.code == 0, done.err[-3000:]
    first_hash(whole_stack)
    await_health(lakeproof)
    told("the path is up, healthy, and has published", since)
    return SupervisorClient(whole_stack)


@pytest.fixture
def shoppers(running: SupervisorClient) -> Iterator[subprocess.Popen[str]]:
    """Shoppers who buy for half a minute beside the test."""
    command = [LAKEPROOF, "traffic", "--rate", str(RATE), "--seconds", str(SHOPPING_SECONDS), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shopping:
        try:
            yield shopping
        finally:
            shopping.kill()


def pid_of(client: SupervisorClient, component: str) -> int | None:
    """The process of a healthy component; None while it is not healthy."""
    (row,) = (row for row in client.ps() if row.name == component)
    return row.pid if row.health is Health.HEALTHY else None


def test_a_taskmanager_killed_under_traffic_comes_back_and_no_order_is_lost(
    running: SupervisorClient, lakeproof: Run, shoppers: subprocess.Popen[str]
) -> None:
    since = time.monotonic()
    killed = pid_of(running, TASKMANAGER)
    assert killed is not None
    time.sleep(SHOPPING_SECONDS / 3)  # some orders before the kill, and some after it
    os.kill(killed, signal.SIGKILL)

    def another() -> bool | None:
        now = pid_of(running, TASKMANAGER)
        return True if now not in (None, killed) else None

    Deadline(BACK_SECONDS).wait_for("another TaskManager to be healthy", another, every=0.5)
    printed, complaints = shoppers.communicate(timeout=SHOPPING_SECONDS + 60)
    bought = json.loads(printed)
    assert (shoppers.returncode, bought["acknowledged"] > RATE) == (0, True), complaints[-2000:]
    await_health(lakeproof)
    report = assert_clean(lakeproof)
    assert report["acknowledged"] >= bought["acknowledged"]
    told(f"kill -9 of the TaskManager; {report['acknowledged']} orders whole", since)


def test_a_connector_deleted_behind_our_back_is_diagnosed_and_repaired_and_no_order_is_lost(
    running: SupervisorClient, whole_stack: Stack, lakeproof: Run
) -> None:
    since = time.monotonic()
    connect = whole_stack.url("connect")
    assert httpx.delete(f"{connect}/connectors/orders", trust_env=False, timeout=30).status_code == 204
    found: dict[str, Any] = {}

    def causes() -> list[str] | None:
        found.update(diagnosed(lakeproof))
        return named(found) or None

    said = Deadline(60).wait_for("a cause", causes, seen=lambda: brief(found))
    assert said == ["deleted_connector"]
    # These orders are captured only once the connector is back.
    bought = lakeproof("traffic", "--rate", str(RATE), "--seconds", "3", "--json", seconds=120)
    assert json.loads(bought.out)["acknowledged"] > 0, bought.err[-2000:]
    opened = lakeproof("incident", "open", "no order arrives", "--service", "connect", "--json", seconds=60)
    assert opened.code == 0, opened.err
    incident = json.loads(opened.out)["id"]
    mended = lakeproof("mitigate", incident, "--yes", "--json", seconds=120)
    steps = [(step["action"], step["outcome"]) for step in json.loads(mended.out)]
    assert (mended.code, steps) == (0, [("redeploy_connector", "passed")]), mended.err[-2000:]
    await_health(lakeproof)
    report = assert_clean(lakeproof)
    assert lakeproof("incident", "resolve", incident, "-m", "mended", seconds=60).code == 0
    told(f"a deleted connector found and mended; {report['acknowledged']} orders whole", since)


def test_down_leaves_no_process_and_no_port(running: SupervisorClient, whole_stack: Stack, lakeproof: Run) -> None:
    since = time.monotonic()
    done = lakeproof("down", seconds=180)
    assert done.code == 0, done.err[-2000:]
    mine = str(whole_stack.state_dir).encode()
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told_to = (process / "cmdline").read_bytes()
            knows = mine in told_to or mine in (process / "environ").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if knows and process.name not in (str(os.getpid()), "self"):
            left.append(told_to.replace(b"\0", b" ").decode(errors="replace")[:200])
    assert left == []
    told("down; nothing is left running", since)
