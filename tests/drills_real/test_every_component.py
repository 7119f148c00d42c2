"""Each component of the whole stack hung, then down: diagnosed by its own name and no other; then healthy again.

One stack for all; a component that is broken and mended takes about half a minute, the file about twenty minutes.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.drills_real.health import await_health, brief, diagnosed, named

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

COMPONENTS = sorted(name for name, one in all_components().items() if one.in_plain_up and not one.on_demand)
# Consequences show later than their cause: the second look must say the same.
LATER_SECONDS = 12


def assert_only(lakeproof: Run, cause: str) -> None:
    """Named at once, and still the only one when its consequences have come."""
    first = diagnosed(lakeproof)
    Deadline(LATER_SECONDS).pause(LATER_SECONDS)
    second = diagnosed(lakeproof)
    for found in (first, second):
        assert (named(found), found["unknown"]) == ([cause], []), f"first {brief(first)}; then {brief(second)}"


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> SupervisorClient:
    """The whole stack, healthy."""
    client = SupervisorClient(whole_stack)
    client.up()
    await_health(lakeproof)
    return client


@pytest.fixture(autouse=True)
def healthy_after(running: SupervisorClient, lakeproof: Run) -> Iterator[None]:
    yield
    await_health(lakeproof)


def test_nothing_is_found_on_a_healthy_stack(running: SupervisorClient, lakeproof: Run) -> None:
    looking = Deadline(60)
    found = diagnosed(lakeproof)
    print(f"a healthy stack was diagnosed in {looking.elapsed:.1f} s")
    assert (found["healthy"], found["causes"], found["unknown"]) == (True, [], [])
    assert set(found["not_asked"]).isdisjoint(COMPONENTS)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_that_hangs_is_named(running: SupervisorClient, lakeproof: Run, name: str) -> None:
    assert running.kill(name, "STOP") > 0
    try:
        assert_only(lakeproof, f"{name.replace('-', '_')}_hung")
    finally:
        running.kill(name, "CONT")


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_that_is_down_is_named(running: SupervisorClient, lakeproof: Run, name: str) -> None:
    assert running.stop(name)
    try:
        assert_only(lakeproof, f"{name.replace('-', '_')}_down")
    finally:
        running.start(name)
        if name == "flink-jobmanager":
            running.start("flink-taskmanager")  # it was taken down with it


@pytest.mark.parametrize(
    "labels",
    [
        {"scenario": "cassandra-node-down", "component": "trino", "team": "cassandra", "severity": "warning"},
        {},
    ],
)
def test_scrambled_labels_give_the_same_cause(
    running: SupervisorClient, lakeproof: Run, whole_stack: Stack, labels: dict[str, str]
) -> None:
    base = f"{whole_stack.url('connect')}/connectors/orders"
    httpx.put(f"{base}/pause", trust_env=False)
    try:
        alert = {
            "labels": {"alertname": "CdcReplicationLagHigh", **labels},
            "startsAt": datetime.now(UTC).isoformat(),
            "annotations": {"summary_en": "scrambled"},
        }
        sent = httpx.post(f"{whole_stack.url('alertmanager')}/api/v2/alerts", json=[alert], trust_env=False)
        assert sent.status_code == 200, sent.text
        told = httpx.get(f"{whole_stack.url('alertmanager')}/api/v2/alerts", trust_env=False).text
        assert "scrambled" in told
        found = Deadline(30).wait_for("a cause", lambda: named(diagnosed(lakeproof)) or None)
        assert found == ["paused_connector"]
    finally:
        httpx.put(f"{base}/resume", trust_env=False)
