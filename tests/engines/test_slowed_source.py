"""A source that is late for support alone, on the real services: seen, not called the source's own, and mended."""

import time
from collections.abc import Callable

import httpx
import pytest
from tests.engines.support_shop import key

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.mitigations import processes
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import checks, faults, repairs
from lakeproof_shop.scenarios.support_timeline.faults import SlowedSource
from lakeproof_shop.scenarios.support_timeline.probes import SERVICE, late_sources

pytestmark = [pytest.mark.engines, pytest.mark.proof]


def verdict(stack: Stack) -> Verdict:
    return checks._verdict(CheckContext(stack, Deadline(60)), wanted=1, at_rest=True)


def test_a_slow_road_to_one_source_is_seen_and_mended_and_a_mere_restart_mends_nothing(
    stack: Stack, up: Callable[..., SupervisorClient]
) -> None:
    up(SERVICE, "order-service", "payment-service", "fulfillment-service")
    case = {"customer_id": 5, "order_id": 1, "subject": "s", "message": "m"}
    opened = httpx.post(f"{stack.url(SERVICE)}/support/cases", json=case, headers=key(), timeout=10, trust_env=False)
    assert opened.status_code == 201, opened.text
    assert verdict(stack).outcome is Outcome.PASSED, verdict(stack)
    fault = SlowedSource(source="payment")
    fault.inject(stack)
    try:
        assert fault.sign(stack).holds
        seen = verdict(stack)
        assert seen.outcome is Outcome.FAILED and "payment missing" in seen.summary, seen
        processes.RestartComponent(component=SERVICE).run(stack)
        assert late_sources(stack, 5.0) == "payment-service"
        repairs.SwitchSource(source="payment", to="off").run(stack)
        off = httpx.get(
            f"{stack.url(SERVICE)}/support/cases/{opened.json()['id']}?includeTimeline=true", trust_env=False
        )
        assert off.json()["timeline"]["sources"]["payment"]["state"] == "off"
        fault.inject(stack)
        told = repairs.SwitchSource().run(stack)
        assert told.startswith("payment: switched off and on again, at the stack's own address"), told
        assert late_sources(stack, 5.0) == "none"
        assert verdict(stack).outcome is Outcome.PASSED, verdict(stack)
    finally:
        fault.remove(stack)
    deadline = time.monotonic() + 5
    while faults._roads(stack, fault) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert faults._roads(stack, fault) == {}
    served = httpx.get(
        f"{stack.url(SERVICE)}/support/cases/{opened.json()['id']}?includeTimeline=true", trust_env=False
    )
    assert served.json()["timeline"]["sources"]["payment"]["state"] == "ok"
