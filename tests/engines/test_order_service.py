"""The order service on a real MariaDB: no call acts twice, nothing acknowledged is lost, nothing hangs."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pymysql
import pytest

from benchmarks import order_api, scratch_database
from benchmarks.benchmark import Options
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers import shoppers
from lakeproof_shop.customers.ledger import read_ledgers
from lakeproof_shop.services.order.models import Item, Order

pytestmark = pytest.mark.engines

TWO_ITEMS = [
    {"sku": "sku-1", "quantity": 2, "unit_price": "6.15"},
    {"sku": "sku-2", "quantity": 1, "unit_price": "3.00"},
]


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("order-service")


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    await_health(stack)
    with httpx.Client(base_url=stack.url("order-service"), timeout=10.0) as client:
        yield client


def await_health(stack: Stack, seconds: float = 60.0) -> None:
    def look() -> bool | None:
        try:
            answer = httpx.get(f"{stack.url('order-service')}/health", timeout=3.0)
        except httpx.HTTPError:
            return None
        return True if answer.status_code == 200 else None

    Deadline(seconds).wait_for("a healthy order service", look)


def a_key() -> str:
    return f"test-{uuid.uuid4().hex}"


def created(shop: httpx.Client) -> dict[str, Any]:
    answer = shop.post("/orders", json={"client_key": a_key(), "customer_id": 5, "items": TWO_ITEMS})
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


def rows(stack: Stack, statement: str, *args: object) -> list[tuple[Any, ...]]:
    host, port = stack.host_port("mysql")
    password = stack.secret("mysql-order-service")
    with (
        pymysql.connect(
            host=host, port=port, user="order_service", password=password, database="oltp", connect_timeout=5
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, args)
        return list(cursor.fetchall())


def orders_of_run(stack: Stack, run: str) -> dict[str, Order]:
    items: dict[int, list[Item]] = {}
    for item_id, order_id, line, sku, quantity, price in rows(
        stack,
        "SELECT i.id, i.order_id, i.line, i.sku, i.quantity, i.unit_price FROM order_items i"
        " JOIN orders o ON o.id = i.order_id WHERE o.client_key LIKE %s ORDER BY i.order_id, i.line",
        f"{run}-%",
    ):
        items.setdefault(order_id, []).append(Item(item_id, line, sku, quantity, str(price)))

    def iso(at: datetime) -> str:
        return at.isoformat(timespec="microseconds") + "Z"

    return {
        key: Order(oid, key, cust, status, str(total), count, version, iso(made), iso(updated), tuple(items[oid]))
        for oid, key, cust, status, total, count, version, made, updated in rows(
            stack,
            "SELECT id, client_key, customer_id, status, total, item_count, version, created_at, updated_at"
            " FROM orders WHERE client_key LIKE %s",
            f"{run}-%",
        )
    }


def wrong_keys(stack: Stack, run: str) -> list[str]:
    """Keys of a run whose row is in none of the states that the ledger allows, and rows that nobody asked for."""
    expected = {
        key: one for key, one in read_ledgers(stack.ledger_dir).by_key.items() if key.rpartition("-")[0] == run
    }
    found = orders_of_run(stack, run)
    wrong = [key for key, one in expected.items() if not any(state.allows(found.get(key)) for state in one.possible)]
    return wrong + [key for key in found if key not in expected]


def traffic_through(stack: Stack, trouble: Callable[[], None], *, rate: float = 40.0) -> shoppers.TrafficReport:
    """Shoppers before, during and after the trouble; they must be served again at the end."""
    await_health(stack)
    handle = shoppers.start(stack, rate, seed=11, run=f"t{uuid.uuid4().hex[:12]}")
    try:
        served(handle, 60)
        trouble()
        await_health(stack)
        served(handle, handle.counts().acknowledged + 60)
    finally:
        report = handle.stop()
    return report


def killed(supervisor: SupervisorClient, name: str) -> None:
    """SIGKILL; gone before this returns, so that what is healthy afterwards is the next one."""
    before = supervisor.row(name).restarts
    supervisor.kill(name)
    Deadline(30.0).wait_for(f"the death of {name}", lambda: supervisor.row(name).restarts > before or None)


def served(handle: shoppers.ShoppersProcess, acknowledged: int) -> None:
    Deadline(90.0).wait_for(
        f"{acknowledged} acknowledged calls",
        lambda: True if handle.counts().acknowledged >= acknowledged else None,
        seen=lambda: str(handle.counts()),
    )


async def race(stack: Stack, calls: list[tuple[str, str, dict[str, str], object]]) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=stack.url("order-service"), timeout=15.0) as client:
        return await asyncio.gather(
            *(client.request(method, path, headers=headers, json=body) for method, path, headers, body in calls)
        )


async def test_twenty_racing_calls_of_one_key_make_one_order(stack: Stack, shop: httpx.Client) -> None:
    key = a_key()
    body = {"customer_id": 5, "items": TWO_ITEMS}
    answers = await race(stack, [("POST", "/orders", {"Idempotency-Key": key}, body)] * 20)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert rows(stack, "SELECT COUNT(*) FROM orders WHERE client_key = %s", key) == [(1,)]


def test_a_key_used_for_another_order_is_refused_and_changes_nothing(stack: Stack, shop: httpx.Client) -> None:
    order = created(shop)
    answer = shop.post("/orders", json={"client_key": order["client_key"], "customer_id": 6, "items": TWO_ITEMS[:1]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "key_reused")
    assert shop.get(f"/orders/{order['id']}").json() == order


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/pay", None),
        ("PATCH", "", {"items": TWO_ITEMS[:1]}),
        ("POST", "/cancel", None),
        ("DELETE", "", None),
    ],
)
def test_a_repeated_change_acts_once(
    stack: Stack, shop: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    order = created(shop)
    url, headers = f"/orders/{order['id']}{path}", {"Idempotency-Key": a_key()}
    answers = [shop.request(method, url, headers=headers, json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json() for answer in answers[1:]] == [answers[0].json()] * 2
    assert rows(stack, "SELECT COUNT(*) FROM order_events WHERE order_id = %s", order["id"]) == [(2,)]


async def test_of_ten_racing_payments_with_different_keys_one_is_taken(stack: Stack, shop: httpx.Client) -> None:
    order = created(shop)
    path = f"/orders/{order['id']}/pay"
    answers = await race(stack, [("POST", path, {"Idempotency-Key": a_key()}, None) for _ in range(10)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


def test_a_change_of_another_version_than_the_caller_knows_is_refused(shop: httpx.Client) -> None:
    order = created(shop)
    assert shop.post(f"/orders/{order['id']}/pay", headers={"If-Match": '"1"'}).json()["version"] == 2
    answer = shop.post(f"/orders/{order['id']}/cancel", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')


def test_a_change_without_key_or_version_is_refused(shop: httpx.Client) -> None:
    assert shop.post(f"/orders/{created(shop)['id']}/pay").status_code == 428


def test_a_late_repeat_of_a_create_does_not_bring_a_deleted_order_back(shop: httpx.Client) -> None:
    order = created(shop)
    shop.delete(f"/orders/{order['id']}", headers={"If-Match": '"1"'}).raise_for_status()
    answer = shop.post("/orders", json={"client_key": order["client_key"], "customer_id": 5, "items": TWO_ITEMS})
    assert (answer.status_code, answer.json()["outcome"]) == (410, "done")
    assert shop.get("/orders", params={"client_key": order["client_key"]}).json() == {"orders": []}
    assert shop.get(f"/orders/{order['id']}").status_code == 410


def test_lines_that_stay_keep_their_ids(shop: httpx.Client) -> None:
    order = created(shop)
    items = [*TWO_ITEMS, {"sku": "sku-3", "quantity": 7, "unit_price": "0.01"}]
    changed = shop.patch(f"/orders/{order['id']}", headers={"If-Match": '"1"'}, json={"items": items}).json()
    assert [item["id"] for item in changed["items"][:2]] == [item["id"] for item in order["items"]]
    assert (changed["total"], changed["item_count"]) == ("15.37", 3)
    assert shop.get(f"/orders/{order['id']}").json() == changed


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"sku": "sku-1", "quantity": -2, "unit_price": "249.50"}, "items.0.quantity"),
        ({"sku": "sku-1", "quantity": 0, "unit_price": "1.00"}, "items.0.quantity"),
        ({"sku": "sku-1", "quantity": 1, "unit_price": "-499.00"}, "items.0.unit_price"),
        ({"sku": "sku-1", "quantity": 1, "unit_price": "NaN"}, "items.0.unit_price"),
        ({"sku": "sku-1", "quantity": 1000, "unit_price": "99999.99"}, "body"),
        ({"sku": "a' OR 1=1", "quantity": 1, "unit_price": "1.00"}, "items.0.sku"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_field(
    stack: Stack, shop: httpx.Client, item: dict[str, Any], field: str
) -> None:
    key = a_key()
    answer = shop.post("/orders", json={"client_key": key, "customer_id": 5, "items": [item]})
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["error"]["fields"]] == [field]
    assert rows(stack, "SELECT COUNT(*) FROM orders WHERE client_key = %s", key) == [(0,)]


@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes_are_refused_at_the_door(shop: httpx.Client, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(160):
            yield b" " * 65536

    answer = shop.post(
        "/orders",
        content=pieces() if chunked else b" " * 10_485_760,
        headers={"content-type": "application/json", "connection": "close"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_the_callers_trace_id_comes_back(shop: httpx.Client) -> None:
    answer = shop.get("/orders/999999999", headers={"X-Trace-Id": "abc-123"})
    assert (answer.headers["x-trace-id"], answer.json()["trace_id"]) == ("abc-123", "abc-123")


def test_calm_traffic_leaves_exactly_what_the_ledger_says(stack: Stack, shop: httpx.Client) -> None:
    report = traffic_through(stack, lambda: None)
    assert (report.counts.mismatched, report.counts.open_calls) == (0, 0)
    assert report.counts.updates > 0 and report.counts.deletes > 0
    assert wrong_keys(stack, report.run) == []


def test_kill_9_of_the_database_under_load_loses_no_acknowledged_order(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    report = traffic_through(stack, lambda: killed(supervisor, "mysql"))
    assert report.counts.open_calls == 0
    assert wrong_keys(stack, report.run) == []


def test_kill_9_of_the_service_under_load_loses_no_acknowledged_order(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    report = traffic_through(stack, lambda: killed(supervisor, "order-service"))
    assert report.counts.open_calls == 0
    assert wrong_keys(stack, report.run) == []


def test_a_clean_stop_of_the_service_leaves_no_call_unclear(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    def stop_and_start() -> None:
        supervisor.stop("order-service")
        supervisor.start("order-service")

    report = traffic_through(stack, stop_and_start)
    assert (report.counts.unclear, wrong_keys(stack, report.run)) == (0, [])


def test_a_stopped_database_is_seen_and_no_request_hangs(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    limit = stack.settings.shop.request_seconds + 2.0

    def stop_and_continue() -> None:
        supervisor.kill("mysql", "STOP")
        try:
            started = time.monotonic()
            health = shop.get("/health")
            assert (health.status_code, time.monotonic() - started < 2.0) == (503, True)
            assert health.json()["dependencies"]["mysql"]["status"] == "unhealthy"
            started = time.monotonic()
            answer = shop.post("/orders", json={"client_key": a_key(), "customer_id": 5, "items": TWO_ITEMS})
            assert (answer.status_code, time.monotonic() - started < limit) == (503, True)
        finally:
            supervisor.kill("mysql", "CONT")

    report = traffic_through(stack, stop_and_continue)
    assert report.counts.open_calls == 0
    assert wrong_keys(stack, report.run) == []


def test_the_benchmark_of_the_service_leaves_nothing_behind(stack: Stack, shop: httpx.Client) -> None:
    result = order_api.run(stack, Options(seconds=0.3), lambda _: None)
    assert all(row["orders_per_second"] > 0 for table in result.tables.values() for row in table)
    with mysql.connect(stack, "root", "mysql-root", 5.0) as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW DATABASES LIKE %s", (scratch_database.NAME,)) == 0
