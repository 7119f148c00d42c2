"""Faults made by hand on the whole stack: each is called by its own name, and by no other."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

FAULTS = (
    ("paused_connector", ("paused-connector",)),
    ("stopped_connector", ("stopped-connector",)),
    ("deleted_connector", ("deleted-connector",)),
    ("connector_login_rejected", ("rotated-password", "--arg", "restart=false")),
    ("connector_grant_lost", ("revoked-grant",)),
    ("connect_hung", ("hung-process", "--arg", "component=connect")),
    ("connect_down", ("stopped-process", "--arg", "component=connect")),
    ("lag_exporter_down", ("stopped-process", "--arg", "component=lag-exporter")),
)


def diagnosed(lakeproof: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lakeproof("diagnose", "--json", seconds=60).out)
    return found


STOPPED_BY_US = "alertmanager_down"


def names(lakeproof: Run) -> list[str] | None:
    """The causes named now, but for the one that these tests are themselves; None where there is none."""
    return [cause["cause"] for cause in diagnosed(lakeproof)["causes"] if cause["cause"] != STOPPED_BY_US] or None


def await_health(lakeproof: Run) -> None:
    """Nothing is named but Alertmanager's stop, and nothing is out of range without a cause."""
    last: list[dict[str, Any]] = []

    def look() -> bool | None:
        last[:] = [diagnosed(lakeproof)]
        found = [cause["cause"] for cause in last[0]["causes"]]
        return True if found == [STOPPED_BY_US] and not last[0]["unknown"] else None

    Deadline(90).wait_for("the stack to be healthy", look, seen=lambda: str(last)[:2000])


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> Iterator[SupervisorClient]:
    """The whole stack, healthy. Alertmanager is stopped meanwhile: a diagnosis does not need it."""
    client = SupervisorClient(whole_stack)
    client.up()
    client.stop("alertmanager")
    await_health(lakeproof)
    yield client
    client.start("alertmanager")


@pytest.mark.parametrize(("cause", "fault"), FAULTS, ids=[cause for cause, _ in FAULTS])
def test_a_fault_made_by_hand_is_called_by_its_own_name(
    running: SupervisorClient, lakeproof: Run, cause: str, fault: tuple[str, ...]
) -> None:
    assert lakeproof("fault", "inject", *fault, seconds=90).code == 0
    try:
        # A ticker that stands still is told only once its last beat is five seconds old.
        assert Deadline(30).wait_for("a cause", lambda: names(lakeproof)) == [cause]
    finally:
        removed = lakeproof("fault", "remove", fault[0], seconds=120)
    assert removed.code == 0, removed.err
    await_health(lakeproof)


def test_a_connector_paused_by_plain_rest_is_named(
    running: SupervisorClient, lakeproof: Run, whole_stack: Stack
) -> None:
    base = f"{whole_stack.url('connect')}/connectors/orders"
    httpx.put(f"{base}/pause", trust_env=False)
    try:
        assert Deadline(30).wait_for("a cause", lambda: names(lakeproof)) == ["paused_connector"]
    finally:
        httpx.put(f"{base}/resume", trust_env=False)
    await_health(lakeproof)
