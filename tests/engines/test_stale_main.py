"""Freshness is the age of data: with the capture hung, publishes that bring nothing new do not count as fresh."""

import math
import time
from collections.abc import Callable

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP
from lakeproof.observability.watched import await_watched
from lakeproof.probes.nessie import publish_age
from lakeproof.probes.prometheus import firing, instant
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(580), pytest.mark.proof]

CLOSURE = ("publisher", "connect", "lag-exporter", "flink-taskmanager", "prometheus")
BOUND_SECONDS = 60.0
ON_ITS_WAY_SECONDS = 15.0


@pytest.fixture(scope="module")
def client(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(*CLOSURE)


def age(stack: Stack) -> float:
    """Without end where no heartbeat is published yet, as right after the start."""
    try:
        return float(str(publish_age(stack, 3.0, OLTP)))
    except CouldNotLook:
        return math.inf


def await_fresh(stack: Stack) -> None:
    Deadline(120).wait_for(
        "fresh data", lambda: True if age(stack) < 5 else None, seen=lambda: f"{age(stack):.0f} s old"
    )


def test_main_is_stale_although_publishes_go_on(
    stack: Stack, client: SupervisorClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await_watched(stack, client.ps())
    await_fresh(stack)
    assert not firing(stack, "LakePublishStale")
    client.kill("connect", "STOP")
    stopped = time.monotonic()
    try:
        first = history.newest(stack)
        first_beat = first.beat_of("oltp") or 0
        Deadline(180).wait_for("the alert", lambda: firing(stack, "LakePublishStale") or None, every=0.5)
        fired_seconds = time.monotonic() - stopped
        last = history.newest(stack)
        told = httpx.get(f"{stack.url('publisher')}/health", trust_env=False, timeout=5).json()
        beat = last.beat_of("oltp")
        values = instant(stack, 'time() - lakeproof_publish_database_beat_timestamp_seconds{database="oltp"}')
        with capsys.disabled():
            print(
                f"\nConnect hung: main went from checkpoint {first.plain.checkpoint} to {last.plain.checkpoint}, "
                f"published {time.time() - last.at.timestamp():.1f} s ago with data that is {age(stack):.0f} s old; "
                f"the alert came after {fired_seconds:.1f} s; publisher: {told['status']}"
            )
        assert last.plain.checkpoint > first.plain.checkpoint
        assert time.time() - last.at.timestamp() < BOUND_SECONDS / 2
        # What was on its way when Connect was stopped still came.
        assert beat is not None and beat / 1e6 - first_beat / 1e6 < ON_ITS_WAY_SECONDS
        assert age(stack) > BOUND_SECONDS - 5
        assert values and values[0][1] > BOUND_SECONDS
    finally:
        client.kill("connect", "CONT")
    await_fresh(stack)
    Deadline(60).wait_for("the alert's end", lambda: None if firing(stack, "LakePublishStale") else True)


def test_a_publisher_that_is_started_anew_tells_the_age_before_it_publishes(
    stack: Stack, client: SupervisorClient
) -> None:
    client.kill("connect", "STOP")
    try:
        Deadline(60).wait_for("old data", lambda: True if age(stack) > 10 else None)
        restarts = client.row("publisher").restarts
        client.kill("publisher")
        Deadline(60).wait_for(
            "the publisher",
            lambda: ((row := client.row("publisher")).restarts > restarts and row.health == "healthy") or None,
        )
        told = Deadline(30).wait_for(
            "its age",
            lambda: (
                instant(stack, 'time() - lakeproof_publish_database_beat_timestamp_seconds{database="oltp"}') or None
            ),
        )
        assert told[0][1] > 10
    finally:
        client.kill("connect", "CONT")
