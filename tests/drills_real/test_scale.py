"""`lakeproof scale` on the whole path while shoppers buy: a process is killed, no order is lost, none left over."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.drills_real.health import BACK_SECONDS, assert_clean

from lakeproof.deadline import Deadline
from lakeproof.lake.query import trino
from lakeproof.lake.query.answer import EngineUnreachable, StatementFailed
from lakeproof.lake.query.asking import ask
from lakeproof.probes.prometheus import instant
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import await_replaced, kill_and_await
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
ORDERS_PER_SECOND = 10


def processes(lakeproof: Run, name: str) -> dict[str, str]:
    """Name → health, of a component's processes."""
    rows = json.loads(lakeproof("ps", "--json").out)
    return {row["name"]: row["health"] for row in rows if row["name"].startswith(name)}


def scale(lakeproof: Run, name: str, count: int) -> str:
    done = lakeproof("scale", name, str(count), seconds=240)
    assert done.code == 0, done.err[-3000:]
    names = [name, *(f"{name}-{number}" for number in range(2, count + 1))]
    assert processes(lakeproof, name) == dict.fromkeys(names, "healthy")
    told: str = done.err
    return told


def await_word(stack: Stack, name: str, word: Health, seconds: float) -> None:
    """Until the same process as now is so. After a kill: `await_replaced`."""
    client = SupervisorClient(stack)

    def look() -> bool | None:
        return True if client.row(name).health is word else None

    Deadline(seconds).wait_for(f"{name} to be {word}", look, every=0.2, seen=lambda: str(client.row(name)))


def await_scraped(stack: Stack, job: str, count: int) -> None:
    """Until Prometheus has so many instances of the job, all up."""

    found: list[float] = []

    def look() -> bool | None:
        nonlocal found
        found = [value for _, value in instant(stack, f'up{{job="{job}"}}')]
        return True if found == [1.0] * count else None

    Deadline(60).wait_for(f"{count} instances of {job}", look, every=0.5, seen=lambda: f"up = {found}")


@pytest.fixture(scope="module")
def shopping(whole_stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """Shoppers that buy until the module ends."""
    SupervisorClient(whole_stack).up()
    sent = [str(PROGRAM), "traffic", "--rate", str(ORDERS_PER_SECOND), "--seconds", "3600", "--json"]
    shoppers = subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield shoppers
    shoppers.kill()
    shoppers.wait()


def test_two_workers_of_connect_hand_the_task_over_when_its_worker_is_killed(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str]
) -> None:
    scale(lakeproof, "connect", 2)
    await_scraped(whole_stack, "connect", 2)

    def holder() -> str | None:
        """The worker that has capture's task."""
        for name in ("connect", "connect-2"):
            try:
                status = httpx.get(
                    f"{whole_stack.url(name)}/connectors/orders/status", timeout=5, trust_env=False
                ).json()
                at = str(status["tasks"][0]["worker_id"])
            except (httpx.HTTPError, LookupError):
                continue
            if status["tasks"][0]["state"] != "RUNNING":
                return None
            return {str(whole_stack.port(each)): each for each in ("connect", "connect-2")}[at.rpartition(":")[2]]
        return None

    for _ in range(2):
        first = Deadline(60).wait_for("capture's task", holder, every=0.5)
        other = {"connect": "connect-2", "connect-2": "connect"}[first]
        client = SupervisorClient(whole_stack)
        before = client.row(first)
        client.kill(first)

        def moved(other: str = other) -> bool | None:
            return True if holder() == other else None

        Deadline(90).wait_for(f"the task on {other}", moved, every=0.5, seen=lambda: f"it is on {holder()}")
        await_replaced(client, [before], Deadline(BACK_SECONDS))
        assert_clean(lakeproof)
    scale(lakeproof, "connect", 1)
    await_scraped(whole_stack, "connect", 1)
    assert shopping.poll() is None
    assert_clean(lakeproof)


def test_two_task_managers_go_on_when_one_is_killed_and_a_hung_one_is_named(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str]
) -> None:
    scale(lakeproof, "flink-taskmanager", 2)
    await_scraped(whole_stack, "flink-taskmanager", 2)
    client = SupervisorClient(whole_stack)
    before = client.row("flink-taskmanager")
    client.kill("flink-taskmanager")
    assert_clean(lakeproof)
    await_replaced(client, [before], Deadline(BACK_SECONDS))
    client.kill("flink-taskmanager-2", "STOP")
    try:
        await_word(whole_stack, "flink-taskmanager-2", Health.UNHEALTHY, 60)
        found = json.loads(lakeproof("diagnose", "--json").out)
        assert "flink_taskmanager_2_hung" in [cause["cause"] for cause in found["causes"]]
    finally:
        client.kill("flink-taskmanager-2", "CONT")
    await_word(whole_stack, "flink-taskmanager-2", Health.HEALTHY, 120)
    # With the JobManager its TaskManagers are ended too: a row that is read too early is still an old one's.
    workers = [client.row(name) for name in ("flink-taskmanager", "flink-taskmanager-2")]
    kill_and_await(client, ["flink-jobmanager"], Deadline(BACK_SECONDS))
    await_replaced(client, workers, Deadline(BACK_SECONDS))
    assert_clean(lakeproof)
    assert "newest checkpoint" in scale(lakeproof, "flink-taskmanager", 1)
    assert shopping.poll() is None
    assert_clean(lakeproof)


def test_two_servers_of_trino_both_read_the_lake_at_a_pinned_hash(
    whole_stack: Stack, lakeproof: Run, shopping: subprocess.Popen[str]
) -> None:
    scale(lakeproof, "trino", 2)
    await_scraped(whole_stack, "trino", 2)
    assert_clean(lakeproof)
    worked = trino.run(
        whole_stack,
        "SELECT node_id, count(*) FROM system.runtime.tasks WHERE query_id IN (SELECT query_id FROM"
        " system.runtime.queries WHERE query LIKE '%lake_at_%' AND query NOT LIKE '%CATALOG%') GROUP BY 1",
        Deadline(60),
        catalog="system",
    )
    assert {str(row[0]) for row in worked.rows} == {"trino", "trino-2"}
    client = SupervisorClient(whole_stack)
    before = client.row("trino-2")
    client.kill("trino-2")

    def answer() -> bool | None:
        try:
            ask(whole_stack, "SELECT count(*) FROM orders")
        except (StatementFailed, EngineUnreachable):
            return None
        return True

    Deadline(90).wait_for("an answer after the kill", answer, every=0.5)
    await_replaced(client, [before], Deadline(BACK_SECONDS))
    assert_clean(lakeproof)
    scale(lakeproof, "trino", 1)
    assert_clean(lakeproof)
    found = json.loads(lakeproof("diagnose", "--json").out)
    assert found["healthy"], found
    assert shopping.poll() is None
