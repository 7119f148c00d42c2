"""What a command starts, stops or starts anew is no incident; what dies or hangs is one, the supervisor included.

In drill windows, twelve times shorter than those of a plain `up`: a component that is away for 5 s is told of.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.drills.live_world import LiveDesk
from lakeproof.faults.processes import StoppedProcess
from lakeproof.incidents.database import database_url, open_database
from lakeproof.incidents.store import Store
from lakeproof.observability.drill_windows import borrow, lock_file, timing_now
from lakeproof.observability.reload import give_back, renew
from lakeproof.observability.watched import await_watched
from lakeproof.processes import lock
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(580), pytest.mark.proof]

NAMES = ("redis", "desk", "prometheus", "alertmanager", "blackbox-exporter")
PROGRAM = Path(sys.executable).with_name("lakeproof")
# Longer than a drill's window of 5 s with the scrape, the evaluation and the webhook after it.
NOTICED_SECONDS = 12.0
ROUNDS = 2
PROOF_ROUNDS = 20


def incidents(stack: Stack) -> list[str]:
    """Every incident that the desk's store has, oldest first; it is read also while the desk is away."""
    database = open_database(database_url(stack))
    try:
        rows = Store(database).newest_first(most=1000)
    finally:
        database.dispose()
    return [f"{row.id} {row.title} {row.service}" for row in reversed(rows)]


def incidents_before(stack: Stack) -> list[str]:
    """As `incidents`; what fires from now on opens another one, and none of these again."""
    LiveDesk(stack).keep_closed()
    return incidents(stack)


def run(*words: str) -> None:
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def rest(seconds: float = NOTICED_SECONDS) -> None:
    Deadline(seconds).pause(seconds)


@pytest.fixture(scope="module")
def client(stack: Stack) -> SupervisorClient:
    run("up", *NAMES)
    return SupervisorClient(stack)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_rounds_of_up_restart_stop_and_down_in_production_windows_open_no_incident(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain `up`: the whole path. In every fifth round Trino is away by command for longer than its window."""
    run("up")
    before = incidents_before(stack)
    began = time.monotonic()
    for number in range(1, PROOF_ROUNDS + 1):
        run("up")
        run("restart", "connect")
        run("restart", "desk")
        if number % 5 == 0:
            run("stop", "trino")
            rest(75)
            run("start", "trino")
        run("down")
    opened = incidents(stack)[len(before) :]
    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\n{PROOF_ROUNDS} rounds in {seconds:.0f} s: {len(opened)} incidents opened {opened or ''}")
    assert opened == []


@pytest.fixture(scope="module")
def in_drill_windows(stack: Stack, client: SupervisorClient) -> Iterator[Stack]:
    """The stack with a drill's windows, as a drill that lives would have them: a restarted Prometheus keeps them."""
    run("up", *NAMES)
    borrow(stack, "drill")
    renew(stack, "drill")
    yield stack
    give_back(stack)


def test_up_down_stop_start_and_restart_open_no_incident(in_drill_windows: Stack, client: SupervisorClient) -> None:
    before = incidents_before(in_drill_windows)
    for _ in range(ROUNDS):
        run("stop", "redis")
        rest()
        run("start", "redis")
        run("restart", "desk")
        run("restart", "prometheus")
        rest(5)
        run("down")
        run("up", *NAMES)
        rest(5)
    assert incidents(in_drill_windows) == before


def hang(client: SupervisorClient) -> Callable[[], Any]:
    client.kill("redis", "STOP")
    return lambda: client.kill("redis", "CONT")


def stay_away(client: SupervisorClient) -> Callable[[], Any]:
    stopped = StoppedProcess(component="redis")
    stopped.inject(client.stack)
    return lambda: stopped.remove(client.stack)


def hang_the_supervisor(client: SupervisorClient) -> Callable[[], Any]:
    daemon = lock.living_holder(client.runtime)
    assert daemon is not None
    os.kill(daemon.pid, signal.SIGSTOP)
    return lambda: os.kill(daemon.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("trouble", "named"), [(hang, "redis"), (stay_away, "redis"), (hang_the_supervisor, "supervisor")]
)
def test_what_hangs_or_stays_away_by_accident_is_one_incident(
    in_drill_windows: Stack,
    client: SupervisorClient,
    trouble: Callable[[SupervisorClient], Callable[[], Any]],
    named: str,
) -> None:
    await_watched(in_drill_windows, client.ps())
    before = incidents_before(in_drill_windows)

    def opened() -> list[str] | None:
        return incidents(in_drill_windows)[len(before) :] or None

    end = trouble(client)
    try:
        found = Deadline(60).wait_for("an incident", opened)
        rest(5)
    finally:
        end()
    assert [one.rpartition(" ")[2] for one in incidents(in_drill_windows)[len(before) :]] == [named], found
    Deadline(60).wait_for("its end", lambda: None if client.row("redis").health != "healthy" else True)
    rest()


def test_the_windows_of_a_drill_that_is_killed_are_given_back_by_the_desk(
    in_drill_windows: Stack, client: SupervisorClient
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock_file(in_drill_windows).write_text(f"{dead.pid} 1 drill")
    assert timing_now(in_drill_windows) == "production"

    def production() -> bool | None:
        rules = in_drill_windows.etc_dir("prometheus") / "rules" / "services.yml"
        return True if "for: 1m" in rules.read_text() and not lock_file(in_drill_windows).read_text() else None

    Deadline(30).wait_for("production windows", production)
