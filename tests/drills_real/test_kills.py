"""kill -9 of each part of the path, and of two at once, while shoppers buy: they come back by themselves, and `check`
finds every order.

Every hash that is published meanwhile is judged: none may show a part of a transaction. The one from just before the
kill can be read afterwards, and shows the same.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.drills_real.health import BACK_SECONDS, assert_clean, assert_no_hash_is_torn, first_hash

from lakeproof.checks.promised_hashes import readable_for, shown_at
from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.processes import lock, procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
ALONE = (
    *("connect", "kafka", "flink-taskmanager", "flink-jobmanager", "mysql", "minio", "publisher", "nessie", "trino"),
    "desk",
)
PAIRS = (("kafka", "connect"), ("minio", "flink-taskmanager"), ("nessie", "publisher"), ("flink-jobmanager", "kafka"))
# The tables of a database that is not promised for so long at a hash are not read again.
BACK = timedelta(seconds=2 * BACK_SECONDS)
VICTIMS = (*((name,) for name in ALONE), *PAIRS)
ORDERS_PER_SECOND = 30
SHOPPING_SECONDS = 7200


@pytest.fixture(scope="module")
def shopping(whole_stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """Shoppers that buy until the module ends."""
    SupervisorClient(whole_stack).up()
    sent = [str(PROGRAM), "traffic", "--rate", str(ORDERS_PER_SECOND), "--seconds", str(SHOPPING_SECONDS), "--json"]
    with whole_stack.log_path("shoppers").open("w") as said:
        shoppers = subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=said, text=True)
    with shoppers:
        yield shoppers
        shoppers.kill()


def assert_still_shopping(stack: Stack, shopping: subprocess.Popen[str]) -> None:
    assert shopping.poll() is None, stack.log_path("shoppers").read_text()[-2000:]


@pytest.fixture(scope="module")
def following(whole_stack: Stack, shopping: subprocess.Popen[str]) -> EveryHash:
    """Every hash from the first kill on."""
    return EveryHash(whole_stack, first_hash(whole_stack))


@pytest.mark.parametrize("names", VICTIMS, ids="+".join)
def test_what_is_killed_comes_back_and_nothing_is_lost(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str], following: EveryHash, names: tuple[str, ...]
) -> None:
    promised = history.newest(whole_stack)
    databases = readable_for(promised, BACK)
    shown = shown_at(whole_stack, promised, databases)
    kill_and_await(SupervisorClient(whole_stack), list(names), Deadline(BACK_SECONDS))
    assert_still_shopping(whole_stack, shopping)
    assert_clean(lakeproof)
    assert shown_at(whole_stack, promised, databases) == shown
    assert_no_hash_is_torn(following)


def test_after_kill_9_of_the_daemon_up_goes_on(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str]
) -> None:
    client = SupervisorClient(whole_stack)
    daemon = lock.living_holder(client.runtime)
    assert daemon is not None
    os.kill(daemon.pid, signal.SIGKILL)
    Deadline(10).wait_for("the daemon's end", lambda: None if procfs.is_alive(daemon.process) else True, every=0.05)
    assert lakeproof("up", seconds=240).code == 0
    assert_still_shopping(whole_stack, shopping)
    assert_clean(lakeproof)


def test_all_that_was_acknowledged_meanwhile_is_there(
    lakeproof: Run, shopping: subprocess.Popen[str], following: EveryHash
) -> None:
    shopping.send_signal(signal.SIGINT)
    out, _ = shopping.communicate(timeout=150)
    acknowledged = json.loads(out)["acknowledged"]
    assert acknowledged > 1000
    report = assert_clean(lakeproof)
    assert_no_hash_is_torn(following)
    assert following.judged > 30
    print(
        f"kill -9 series: {following.judged} hashes judged, {acknowledged} calls acknowledged;",
        json.dumps(report)[:2000],
    )
    assert json.loads(lakeproof("diagnose", "--json", seconds=60).out)["healthy"] is True
