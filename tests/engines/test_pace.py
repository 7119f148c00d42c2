"""The pace of checkpoints on the whole path: seldom at rest, the wanted one under shoppers, nothing lost where nobody
asks, and no checkpoint after the savepoint that a job is stopped with."""

import time
from collections.abc import Callable

import httpx
import pytest

from benchmarks.sql_shop import sql_shoppers
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.submission import find_job, redeploy
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.checking import check
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(580), pytest.mark.proof]

SECONDS = 40.0
REDEPLOYED = 4
# From the last row until all that was asked for is complete, and a little for a busy machine.
QUIET_SECONDS = 12.0


@pytest.fixture(scope="module")
def client(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("publisher", "trino", "flink-taskmanager", "connect", "lag-exporter", "order-service")


def job_id(stack: Stack) -> str:
    job = find_job(rest_of(stack), OLTP)
    assert job is not None
    return job.id


def checkpoints(stack: Stack, job: str) -> dict[str, int]:
    """How many of its checkpoints are complete, and how many failed."""
    url = f"{stack.url('flink-jobmanager')}/jobs/{job}/checkpoints"
    counts = httpx.get(url, timeout=5, trust_env=False).raise_for_status().json()["counts"]
    return {what: int(counts[what]) for what in ("completed", "failed")}


def made_in(stack: Stack, seconds: float) -> int:
    """How many checkpoints are complete after so long that were not before."""
    job = job_id(stack)
    before = checkpoints(stack, job)["completed"]
    time.sleep(seconds)
    return checkpoints(stack, job)["completed"] - before


def assert_whole(stack: Stack) -> None:
    report = check(stack)
    assert report.outcome is Outcome.PASSED, report


def test_checkpoints_come_seldom_at_rest_and_at_the_wanted_pace_under_shoppers(
    stack: Stack, client: SupervisorClient, capsys: pytest.CaptureFixture[str]
) -> None:
    time.sleep(QUIET_SECONDS)
    at_rest = made_in(stack, SECONDS)
    shoppers = sql_shoppers(stack, 20.0, "pace")
    try:
        under_shoppers = made_in(stack, SECONDS)
    finally:
        shoppers.stop()
    with capsys.disabled():
        print(f"\n{SECONDS:g} s at rest: {at_rest} checkpoints; under shoppers: {under_shoppers}")
    longest, wanted = OLTP.longest_pause_seconds(stack), OLTP.checkpoint_seconds(stack)
    assert SECONDS / longest - 3 <= at_rest <= SECONDS / longest + 1
    assert SECONDS / longest + 3 <= under_shoppers <= SECONDS / wanted + 1
    assert_whole(stack)


def test_while_the_exporter_hangs_the_job_goes_on_at_its_idle_pace_and_nothing_is_lost(
    stack: Stack, client: SupervisorClient
) -> None:
    client.kill("lag-exporter", "STOP")
    try:
        shoppers = sql_shoppers(stack, 20.0, "hung")
        try:
            made = made_in(stack, SECONDS)
        finally:
            shoppers.stop()
    finally:
        client.kill("lag-exporter", "CONT")
    # It makes one that it was asked for before it was stopped.
    assert SECONDS / OLTP.longest_pause_seconds(stack) - 3 <= made <= SECONDS / OLTP.longest_pause_seconds(stack) + 2
    assert_whole(stack)


def test_a_job_that_is_stopped_under_shoppers_is_asked_for_nothing_meanwhile(
    stack: Stack, client: SupervisorClient, capsys: pytest.CaptureFixture[str]
) -> None:
    following = EveryHash(stack, history.newest(stack).hash)
    shoppers = sql_shoppers(stack, 20.0, "redeployed")
    counted = []
    try:
        for _ in range(REDEPLOYED):
            old = job_id(stack)
            time.sleep(5.0)
            redeploy(stack, OLTP)
            counted.append(checkpoints(stack, old))
            Deadline(60).wait_for(
                "a checkpoint of the new job", lambda: checkpoints(stack, job_id(stack))["completed"] or None
            )
            following.look(Deadline(60))
    finally:
        shoppers.stop()
    following.look(Deadline(60))
    with capsys.disabled():
        print(f"\nof the jobs that were stopped: {counted}; {following.judged} hashes, torn {len(following.torn)}")
    assert [each["failed"] for each in counted] == [0] * REDEPLOYED
    assert following.judged >= REDEPLOYED and not following.torn
    assert_whole(stack)
