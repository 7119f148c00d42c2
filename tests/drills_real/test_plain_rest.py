"""A connector stopped or deleted by plain REST behind our back: named, and mended by the repair of that cause."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.drills_real.health import assert_clean, await_health, brief, diagnosed, named

from lakeproof.deadline import Deadline
from lakeproof.lake.capture.registration import register
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]

# What is sent, the cause that it must be called by, the repair that this cause names.
ORDERS = (
    ("PUT", "/connectors/orders/pause", "paused_connector", "resume_connector"),
    ("PUT", "/connectors/orders/stop", "stopped_connector", "resume_connector"),
    ("DELETE", "/connectors/orders", "deleted_connector", "redeploy_connector"),
)


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> SupervisorClient:
    """The whole stack, healthy, with orders in it."""
    client = SupervisorClient(whole_stack)
    client.up()
    await_health(lakeproof)
    assert lakeproof("traffic", "--rate", "20", "--seconds", "5", seconds=120).code == 0
    return client


def await_name(lakeproof: Run) -> list[str]:
    """The causes named, once there is one. Raises: DeadlineExpired with what was found instead."""
    found: dict[str, Any] = {}

    def look() -> list[str] | None:
        found.update(diagnosed(lakeproof))
        return named(found) or None

    return Deadline(30).wait_for("a cause", look, seen=lambda: brief(found))


@pytest.mark.parametrize(("method", "path", "cause", "repair"), ORDERS, ids=[cause for _, _, cause, _ in ORDERS])
def test_an_order_by_plain_rest_is_named_and_mended_by_its_own_repair(
    running: SupervisorClient, whole_stack: Stack, lakeproof: Run, method: str, path: str, cause: str, repair: str
) -> None:
    connect = whole_stack.url("connect")
    sent = httpx.request(method, f"{connect}{path}", trust_env=False, timeout=30)
    assert sent.status_code in (202, 204), sent.text
    try:
        assert await_name(lakeproof) == [cause]
        bought = lakeproof("traffic", "--rate", "20", "--seconds", "3", "--json", seconds=120)
        assert json.loads(bought.out)["acknowledged"] > 0
        opened = lakeproof("incident", "open", "no order arrives", "--service", "connect", "--json", seconds=60)
        assert opened.code == 0, opened.err
        incident = json.loads(opened.out)["id"]
        mended = lakeproof("mitigate", incident, "--yes", "--json", seconds=120)
        assert mended.code == 0, mended.err
        assert [(step["action"], step["outcome"]) for step in json.loads(mended.out)] == [(repair, "passed")]
    except BaseException:
        # The next test must not find this one's connector.
        register(whole_stack, "orders")
        httpx.put(f"{connect}/connectors/orders/resume", trust_env=False, timeout=30)
        raise
    await_health(lakeproof)
    assert_clean(lakeproof)
    assert lakeproof("incident", "resolve", incident, "-m", "mended", seconds=60).code == 0
