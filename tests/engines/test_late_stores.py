"""Databases that answer five seconds late, a Redis that refuses: refused or degraded as documented, nothing hangs."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.engines.instances import Instance, instance
from tests.engines.slow_proxy import proxy_that_slows_down
from tests.engines.support_shop import ADDRESS, JSON, key

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof]

LATE_SECONDS = 5.0
HEALTH_SECONDS = 2.0  # "within about a second", on a busy machine
NOTIFICATION = {
    "customer_id": 5,
    "channel": "email",
    "topic": "order",
    "to": "a@example.org",
    "subject": "s",
    "body": "b",
}


@dataclass(frozen=True)
class Service:
    """A service, its database, and how something is made there."""

    name: str
    database: str
    path: str
    body: JSON


SERVICES = (
    Service(
        "order", "mysql", "/orders", {"customer_id": 5, "items": [{"sku": "s", "quantity": 1, "unit_price": "1.00"}]}
    ),
    Service(
        "payment", "postgres", "/payments", {"order_id": 1, "customer_id": 5, "amount": "1.00", "card": "tok_visa"}
    ),
    Service(
        "fulfillment",
        "postgres",
        "/fulfillments",
        {"order_id": 1, "address": ADDRESS, "items": [{"sku": "s", "quantity": 1}]},
    ),
    Service("support", "postgres", "/support/cases", {"customer_id": 5, "subject": "s", "message": "m"}),
    Service("notification", "postgres", "/notifications", NOTIFICATION),
)


def module_of(name: str) -> str:
    return f"lakeproof_shop.services.{name}.app"


def timed(call: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return call(), time.monotonic() - started


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_database_that_is_five_seconds_late_lets_no_request_hang_and_no_change_act_twice(
    stack: Stack, up: Callable[..., SupervisorClient], service: Service
) -> None:
    up(service.database)
    limit, asked = stack.settings.shop.request_seconds + 1.0, key()
    address = stack.host_port(service.database, "tcp")
    with proxy_that_slows_down(*address, LATE_SECONDS) as (port, slow_down):
        given = {"LAKEPROOF_ENDPOINTS": json.dumps({service.database: {"tcp": f"127.0.0.1:{port}"}})}
        with instance(module_of(service.name), given) as late, late.wait_until_healthy().client() as client:
            other = service.body | ({"order_id": 2} if "order_id" in service.body else {})
            before = client.post(service.path, json=other, headers=key())
            assert before.status_code == 201, before.text
            slow_down()
            looked_up = f"{service.path}/{before.json()['id']}"
            refused = [
                timed(lambda: client.post(service.path, json=service.body, headers=asked)),  # on a connection it had
                timed(lambda: client.get(looked_up)),
                timed(lambda: client.post(service.path, json=service.body, headers=asked)),
            ]
            health, seconds = timed(lambda: client.get("/health"))
    assert seconds < HEALTH_SECONDS and health.status_code == 503, (seconds, health.text)
    for answer, took in refused:
        assert took < limit, took
        assert answer.status_code == 503, answer.text
        assert answer.json()["outcome"] in ("not_done", "unclear")
    with instance(module_of(service.name)) as in_time, in_time.wait_until_healthy().client() as client:
        made = [client.post(service.path, json=service.body, headers=asked) for _ in range(2)]
    assert {answer.status_code for answer in made} <= {200, 201}, [answer.text for answer in made]
    assert len({answer.json()["id"] for answer in made}) == 1


@pytest.fixture
def payment(up: Callable[..., SupervisorClient]) -> Iterator[Instance]:
    up("postgres")
    with instance(module_of("payment")) as made:
        yield made.wait_until_healthy()


def test_a_redis_that_refuses_costs_nothing_and_nothing_stale_comes_out_of_it(payment: Instance) -> None:
    given = {
        "SERVICE_REDIS_URL": "redis://127.0.0.1:9/0",
        "SERVICE_ORDER_SERVICE_URL": "",
        "SERVICE_PAYMENT_SERVICE_URL": payment.url,
        "SERVICE_FULFILLMENT_SERVICE_URL": "",
    }
    paid: dict[str, Any] = {"order_id": 4711, "customer_id": 5, "amount": "12.30", "card": "tok_visa"}
    with (
        payment.client() as payments,
        instance(module_of("support"), given) as made,
        made.wait_until_healthy().client() as shop,
    ):
        at = payments.post("/payments", json=paid, headers=key()).json()["id"]
        case = {"customer_id": 5, "order_id": 4711, "subject": "s", "message": "m"}
        opened, seconds_to_open = timed(lambda: shop.post("/support/cases", json=case, headers=key()))
        path = f"/support/cases/{opened.json()['id']}"

        def look() -> tuple[JSON, float]:
            answer, seconds = timed(lambda: shop.get(path, params={"includeTimeline": "true"}))
            assert answer.status_code == 200, answer.text
            found: JSON = answer.json()["timeline"]
            return found, seconds

        looks = [look() for _ in range(4)]
        assert payments.post(f"/payments/{at}/void", json={}, headers=key()).status_code == 200
        looks.append(look())
        refreshed, refresh_seconds = timed(lambda: shop.post(f"{path}/timeline/refresh"))
        health = shop.get("/health").json()
        errors = [
            line for line in shop.get("/metrics").text.splitlines() if 'cache_events_total{event="error"}' in line
        ]
    assert max(seconds_to_open, refresh_seconds, *(seconds for _, seconds in looks)) < 1.5
    assert {found["came_from"] for found, _ in looks} == {"remote"}
    assert {found["sources"]["payment"]["state"] for found, _ in looks} == {"ok"}
    types = [{entry["type"] for entry in found["entries"]} for found, _ in looks]
    assert "payment.voided" not in types[-2] and "payment.voided" in types[-1]
    assert refreshed.status_code == 200
    assert (health["status"], health["dependencies"]["redis"]["status"]) == ("healthy", "unhealthy")
    assert float(errors[0].split()[1]) > 0
