"""Fulfillment and support as the supervisor runs them: events reach Kafka, and no timeline is stale without them."""

import json
import subprocess
import time
import uuid
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer
from tests.engines.conftest import Up
from tests.engines.health import await_health
from tests.engines.support_shop import JSON, bought, posted

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]


@pytest.fixture(scope="module", autouse=True)
def supervisor(up: Up) -> SupervisorClient:
    return up("support-service")


@pytest.fixture(scope="module")
def urls(stack: Stack) -> dict[str, str]:
    return {name: stack.url(f"{name}-service") for name in ("order", "payment", "fulfillment", "support")}


def a_case(urls: dict[str, str], order: int) -> str:
    body = {"customer_id": 5, "order_id": order, "subject": "Where is it?"}
    return f"{urls['support']}/support/cases/{posted(f'{urls["support"]}/support/cases', body)['id']}"


def timeline(case: str) -> JSON:
    answer = httpx.get(case, params={"includeTimeline": "true"}, timeout=20, trust_env=False)
    answer.raise_for_status()
    found: JSON = answer.json()["timeline"]
    return found


def shipped(urls: dict[str, str], order: int) -> JSON:
    def look() -> JSON | None:
        url = f"{urls['fulfillment']}/fulfillments"
        parcel: JSON = httpx.get(url, params={"order_id": order}, trust_env=False).json()["fulfillments"][0]
        return parcel if parcel["status"] == "shipped" else None

    return Deadline(60).wait_for("the parcel to be shipped", look)


def kept(case: str) -> None:
    def look() -> bool | None:
        return True if timeline(case)["came_from"] == "cache" else None

    Deadline(60).wait_for("the timeline to be kept", look, every=0.5)


def refund(urls: dict[str, str], order: int) -> None:
    payment = httpx.get(f"{urls['payment']}/payments", params={"order_id": order}).json()["payments"][0]
    posted(f"{urls['payment']}/payments/{payment['id']}/refund", {}, 200)


def types_in_time(stack: Stack, case: str) -> list[str]:
    """What the timeline shows as soon as it must show what has just been changed; it is whole."""
    Deadline(60).pause(stack.settings.support.timeline_cache_ttl_seconds)
    found = timeline(case)
    assert found["complete"] is True
    return [entry["type"] for entry in found["entries"]]


def messages(stack: Stack, topic: str, of: str) -> list[JSON]:
    """Those of one aggregate, from the topic's beginning to its end now."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": f"test-{uuid.uuid4().hex}",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    found: list[JSON] = []
    ended: set[int] = set()
    deadline = Deadline(30)
    while len(ended) < 3 and not deadline.expired:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is not None:
            ended.add(message.partition() or 0)
        elif (message.key() or b"").decode() == of:
            found.append(json.loads(message.value() or b"{}"))
    consumer.close()
    return found


def test_a_shipped_parcel_is_told_to_kafka(stack: Stack, urls: dict[str, str]) -> None:
    order = bought(urls)
    number = str(shipped(urls, order)["id"])

    def look() -> list[JSON] | None:
        found = messages(stack, "events.fulfillment", number)
        return found if any(one["type"] == "status.shipped" for one in found) else None

    told = [one for one in Deadline(40).wait_for("status.shipped", look) if one["type"] == "status.shipped"]
    assert len({one["event_id"] for one in told}) == 1
    assert (told[0]["aggregate"], told[0]["data"]["order_id"], bool(told[0]["trace_id"])) == (
        "fulfillment",
        order,
        True,
    )


def test_a_change_is_seen_in_time_though_nobody_tells_of_it(
    stack: Stack, supervisor: SupervisorClient, urls: dict[str, str]
) -> None:
    assert "connect" not in {row.name for row in supervisor.ps()}
    order = bought(urls)
    shipped(urls, order)
    case = a_case(urls, order)
    kept(case)
    refund(urls, order)
    posted(f"{urls['order']}/orders/{order}/cancel", None, 200)
    assert {"payment.refunded", "order.cancelled"} <= set(types_in_time(stack, case))


@pytest.mark.parametrize("name", ["fulfillment-service", "support-service"])
def test_kill_9_and_it_is_back(supervisor: SupervisorClient, urls: dict[str, str], name: str) -> None:
    restarts = supervisor.row(name).restarts
    supervisor.kill(name)
    await_health(supervisor, name, restarts=restarts)
    order = bought(urls)
    shipped(urls, order)
    assert timeline(a_case(urls, order))["complete"] is True


@pytest.mark.parametrize("name", ["fulfillment-service", "support-service"])
def test_a_stopped_service_is_seen(supervisor: SupervisorClient, urls: dict[str, str], name: str) -> None:
    supervisor.kill(name, "STOP")
    try:
        Deadline(60).wait_for("it to be unhealthy", lambda: supervisor.row(name).health != "healthy" or None)
    finally:
        supervisor.kill(name, "CONT")
    Deadline(60).wait_for("it to be healthy", lambda: supervisor.row(name).health == "healthy" or None)


def make(target: str, flags: str) -> tuple[int, Any]:
    done = subprocess.run(["make", "-s", target, f"ARGS={flags}"], capture_output=True, text=True)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_make_targets_print_what_the_runbook_keeps(stack: Stack, urls: dict[str, str]) -> None:
    order = bought(urls)
    shipped(urls, order)
    ticket = a_case(urls, order).rpartition("/")[2]
    code, probed = make("support-probe", f"--base-url {urls['support']} --order-id {order}")
    assert (code, probed["ok"]) == (0, True), probed
    code, held = make("chaos-fulfillment-delay", f"--count 5 --hold-minutes 30 --support-ticket-id {ticket}")
    assert (code, held["objects"], held["supportTicket"]["complete"]) == (0, 5, True), held
    assert held["supportTicket"]["newestShipment"]["type"] == "fulfillment.shipped"
    assert held["supportTicket"]["affectsTicket"] is False
    code, gone = make("chaos-fulfillment-delay", f"--revert --support-ticket-id {ticket}")
    assert (code, gone["removedObjects"], gone["objects"]) == (0, 5, 0), gone
    code, would = make("support-offload", "--age-days 30 --dry-run")
    assert (code, would["dryRun"], would["failed"]) == (0, True, []), would


def test_kafka_away_is_told_and_nothing_stops(
    stack: Stack, supervisor: SupervisorClient, urls: dict[str, str]
) -> None:
    supervisor.kill("kafka", "STOP")
    try:
        order = bought(urls)
        shipped(urls, order)
        started = time.monotonic()
        case = a_case(urls, order)
        assert timeline(case)["complete"] is True
        assert time.monotonic() - started < 5
        kept(case)
        refund(urls, order)
        assert "payment.refunded" in types_in_time(stack, case)
        health = f"{urls['fulfillment']}/health"
        Deadline(40).wait_for(
            "kafka to be named",
            lambda: httpx.get(health, timeout=20).json()["dependencies"]["kafka"]["problem"] or None,
        )
    finally:
        supervisor.kill("kafka", "CONT")
