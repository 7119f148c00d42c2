"""The inventory service on the real ring: never oversold, nothing stuck, whatever dies in mid-sale."""

import asyncio
import json
import shlex
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Consumer
from tests.conftest import RealStack
from tests.engines.instances import instance
from tests.engines.sale import Outcome, sale

from benchmarks.corruption.stores import Stores
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.engines.cassandra_roles import SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.engines.cassandra_session import session
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals, disagreements, violations
from lakeproof_shop.services.inventory.unsent import KEPT_OF_ONE

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
TTL_SECONDS = 20
FLOOR_SECONDS = 10
UNITS = 100
LATE_SECONDS = 5.0


@pytest.fixture(scope="module")
def stack(real_stack: RealStack) -> Iterator[Stack]:
    """A stack whose reservations end soon."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS", str(TTL_SECONDS))
        environment.setenv("LAKEPROOF_INVENTORY__RESERVATION_TTL_FLOOR_SECONDS", str(FLOOR_SECONDS))
        with real_stack("test") as made:
            yield made


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("inventory-service")


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    await_health(stack)
    with httpx.Client(base_url=stack.url("inventory-service"), timeout=15.0, trust_env=False) as client:
        yield client


def await_health(stack: Stack, seconds: float = 90.0) -> None:
    def look() -> bool | None:
        try:
            answer = httpx.get(f"{stack.url('inventory-service')}/health", timeout=3.0, trust_env=False)
        except httpx.HTTPError:
            return None
        return True if answer.status_code == 200 else None

    Deadline(seconds).wait_for("a healthy inventory service", look)


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-{uuid.uuid4().hex}"}


def a_sku() -> str:
    return f"sku-{uuid.uuid4().hex[:12]}"


def receive(shop: httpx.Client, sku: str, quantity: int) -> None:
    answer = shop.post(f"/stock/{sku}/receive", json={"quantity": quantity}, headers=a_key())
    assert answer.status_code == 200, answer.text


def reserve(
    shop: httpx.Client, lines: dict[str, int], key: dict[str, str] | None = None, order_key: str = "order-1"
) -> httpx.Response:
    body = {"order_key": order_key, "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()]}
    return shop.post("/reservations", json=body, headers=key or a_key())


def stock_of(shop: httpx.Client, sku: str) -> dict[str, Any]:
    answer = shop.get(f"/stock/{sku}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows(stack: Stack, statement: str, *values: object) -> list[Any]:
    with session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=15.0) as ring:
        return list(ring.execute(statement, values or None, timeout=15.0))


def metric(shop: httpx.Client, name: str) -> float:
    for line in shop.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    raise AssertionError(f"no metric {name}")


def chaos(*arguments: str, ends: int = 0) -> dict[str, Any]:
    """What `make chaos-ttl-oversell` prints, and whether it ends so."""
    done = subprocess.run(
        ["make", "-s", "chaos-ttl-oversell", f"ARGS={shlex.join(arguments)}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ends, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def assert_adds_up(stack: Stack, sku: str) -> SkuTotals:
    """The totals are possible, and the lines add up to them."""
    (found,) = rows(
        stack,
        "SELECT sku, version, received, sold, reserved, active, events, sent FROM inventory.stock"
        " WHERE sku = %s LIMIT 1",
        sku,
    )
    totals = SkuTotals(found[0], *(value or 0 for value in found[1:]))
    lines: Counter[str] = Counter()
    units: Counter[str] = Counter()
    for state, quantity in rows(
        stack,
        "SELECT state, quantity FROM inventory.stock WHERE sku = %s AND kind IN ('line', 'receipt')",
        sku,
    ):
        lines[state] += 1
        units[state] += quantity
    assert violations([totals]) == []
    assert disagreements(totals, [LineSum(state, lines[state], units[state]) for state in lines]) == []
    return totals


def await_nothing_held(shop: httpx.Client, sku: str, seconds: float) -> float:
    waited = Deadline(seconds)
    waited.wait_for(
        f"the end of {sku}'s reservations", lambda: True if stock_of(shop, sku)["reserved"] == 0 else None
    )
    return waited.elapsed


def judge(stack: Stack, shop: httpx.Client, sku: str, outcome: Outcome) -> None:
    """At most UNITS sold, each unit that is left has a reason, nothing is stuck."""
    waited = await_nothing_held(shop, sku, TTL_SECONDS + 15)
    totals = assert_adds_up(stack, sku)
    print(
        f"{dict(outcome.told)}; {totals}; {outcome.seconds:.1f} s, slowest {outcome.slowest:.1f} s,"
        f" held {waited:.0f} s"
    )
    assert totals.received == UNITS
    assert totals.sold <= UNITS
    unclear = outcome.told["confirmation never answered"]
    assert len(outcome.sold) <= totals.sold <= len(outcome.sold) + unclear
    unsold = UNITS - totals.sold
    refused = sum(count for told, count in outcome.told.items() if told.startswith("not confirmed"))
    assert unsold <= len(outcome.left) + refused + unclear + outcome.told["never answered"]
    assert outcome.told["out_of_stock"] > 0


def test_a_thousand_buyers_of_a_hundred_units(stack: Stack, shop: httpx.Client) -> None:
    sku = a_sku()
    receive(shop, sku, UNITS)
    outcome = sale([stack.url("inventory-service")], sku)
    judge(stack, shop, sku, outcome)
    assert outcome.told["never answered"] == 0


def test_a_corruption_hunt_reads_the_rings_rows(stack: Stack, shop: httpx.Client) -> None:
    (row,) = Stores(stack).cassandra("SELECT cluster_name, WRITETIME(cluster_name) AS written FROM system.local")
    assert set(row) == {"cluster_name", "written"}


def test_a_thousand_buyers_while_a_node_is_killed(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku = a_sku()
    receive(shop, sku, UNITS)
    outcome = sale([stack.url("inventory-service")], sku, midway=lambda: print(supervisor.kill("cassandra-node2")))
    judge(stack, shop, sku, outcome)
    assert outcome.told["never answered"] == 0


@pytest.mark.proof
def test_a_thousand_buyers_while_the_service_is_killed(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku = a_sku()
    receive(shop, sku, UNITS)
    outcome = sale([stack.url("inventory-service")], sku, midway=lambda: print(supervisor.kill("inventory-service")))
    await_health(stack)
    judge(stack, shop, sku, outcome)
    assert outcome.told["never answered"] == 0


@pytest.mark.proof
def test_two_instances_never_sell_the_same_unit(stack: Stack, shop: httpx.Client) -> None:
    sku = a_sku()
    receive(shop, sku, UNITS)
    with instance("lakeproof_shop.services.inventory.app") as second:
        second.wait_until_healthy()
        outcome = sale([stack.url("inventory-service"), second.url], sku, buyers=400, at_once=32)
        judge(stack, shop, sku, outcome)


@pytest.mark.proof  # until it was green three times in a row
def test_of_two_requests_under_one_key_at_once_through_two_instances_one_acts(
    stack: Stack, shop: httpx.Client
) -> None:
    sku, mine, other = a_sku(), a_sku(), a_sku()
    for one in (sku, mine, other):
        receive(shop, one, 1_000)
    keys, bodies = [a_key() for _ in range(60)], ({sku: 1, mine: 1}, {sku: 2, other: 1})

    async def both_at_once(clients: list[httpx.AsyncClient], key: dict[str, str], turn: int) -> httpx.Response:
        answers = await asyncio.gather(
            *(
                clients[one ^ turn].post(
                    "/reservations",
                    json={
                        "order_key": "order-1",
                        "lines": [{"sku": name, "quantity": units} for name, units in bodies[one].items()],
                    },
                    headers=key,
                )
                for one in (turn, 1 - turn)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 422], [one.text for one in answers]
        (made,) = (answer for answer in answers if answer.status_code == 201)
        confirmed = await clients[turn].post(f"/reservations/{made.json()['id']}/confirm")
        assert (confirmed.status_code, confirmed.json().get("state")) == (200, "confirmed"), confirmed.text
        return made

    async def all_keys(urls: list[str]) -> list[httpx.Response]:
        async with AsyncExitStack() as open_ones:
            clients = [
                await open_ones.enter_async_context(httpx.AsyncClient(base_url=url, timeout=15.0, trust_env=False))
                for url in urls
            ]
            return [await both_at_once(clients, key, number % 2) for number, key in enumerate(keys)]

    with instance("lakeproof_shop.services.inventory.app") as second:
        second.wait_until_healthy()
        made = asyncio.run(all_keys([stack.url("inventory-service"), second.url]))
    sold = Counter[str]()
    for answer in made:
        sold.update({line["sku"]: line["quantity"] for line in answer.json()["lines"]})
    print(f"{sold[mine]} times the one request, {sold[other]} times the other")
    for one in (sku, mine, other):
        totals = assert_adds_up(stack, one)
        assert (totals.sold, totals.reserved) == (sold[one], 0)


@pytest.mark.proof
def test_a_frozen_node_makes_no_call_hang(stack: Stack, shop: httpx.Client, supervisor: SupervisorClient) -> None:
    sku = a_sku()
    receive(shop, sku, UNITS)
    supervisor.kill("cassandra-node3", "STOP")
    slowest, answers = 0.0, Counter[int]()
    try:
        for _ in range(15):
            began = time.monotonic()
            answers[reserve(shop, {sku: 1}).status_code] += 1
            slowest = max(slowest, time.monotonic() - began)
        health = time.monotonic()
        assert shop.get("/health").status_code == 200
        assert time.monotonic() - health < 1.5
    finally:
        supervisor.kill("cassandra-node3", "CONT")
    print(f"{dict(answers)}, slowest {slowest:.1f} s")
    assert slowest < 6.5
    assert answers[201] >= 12
    await_nothing_held(shop, sku, TTL_SECONDS + 15)
    assert_adds_up(stack, sku)


def clear_answer(shop: httpx.Client, sku: str, key: dict[str, str]) -> httpx.Response:
    """Of a ring that has just woken: it may say 503 first."""

    def look() -> httpx.Response | None:
        answer = reserve(shop, {sku: 1}, key)
        return None if answer.status_code == 503 else answer

    return Deadline(10).wait_for(f"a clear answer to {key}", look)


def test_a_ring_that_is_five_seconds_late_refuses_in_time_and_what_it_did_is_done_once(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku, keys = a_sku(), [a_key() for _ in range(8)]
    receive(shop, sku, UNITS)
    limit = stack.settings.shop.request_seconds + 2.0

    def timed(key: dict[str, str]) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        return reserve(shop, {sku: 1}, key), time.monotonic() - began

    for name in NODES:
        supervisor.kill(name, "STOP")
    late = threading.Timer(LATE_SECONDS, lambda: [supervisor.kill(name, "CONT") for name in NODES])
    late.start()
    try:
        with ThreadPoolExecutor(len(keys)) as callers:
            asked = [callers.submit(timed, key) for key in keys]
            began = time.monotonic()
            health = shop.get("/health")
            assert (health.status_code, time.monotonic() - began < 3.0) == (503, True)
            answers = [one.result() for one in asked]
    finally:
        late.join()
    await_health(stack)
    again = [clear_answer(shop, sku, key) for key in keys]
    print(Counter(answer.status_code for answer, _ in answers), f"slowest {max(took for _, took in answers):.1f} s")
    for answer, took in answers:
        assert took < limit
        assert answer.status_code in (201, 503), answer.text
        assert answer.status_code == 201 or answer.json()["outcome"] in ("not_done", "unclear")
    assert {answer.status_code for answer in again} <= {200, 201}, [answer.text for answer in again]
    assert len({answer.json()["id"] for answer in again}) == len(keys)
    assert stock_of(shop, sku)["reserved"] == len(keys)
    await_nothing_held(shop, sku, TTL_SECONDS + 15)
    assert_adds_up(stack, sku)


def test_a_retry_acts_once_and_another_request_under_its_key_is_refused(stack: Stack, shop: httpx.Client) -> None:
    sku, key = a_sku(), a_key()
    receive(shop, sku, 10)
    first, again = reserve(shop, {sku: 2}, key), reserve(shop, {sku: 2}, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() == again.json()
    other = reserve(shop, {sku: 3}, key)
    assert (other.status_code, other.json()["outcome"]) == (422, "not_done")
    id_ = first.json()["id"]
    for _ in range(2):
        assert shop.post(f"/reservations/{id_}/confirm").json()["state"] == "confirmed"
    assert shop.post(f"/reservations/{id_}/release").status_code == 409
    assert stock_of(shop, sku) | {"version": 0} == {
        "sku": sku,
        "received": 10,
        "sold": 2,
        "reserved": 0,
        "on_hand": 8,
        "version": 0,
    }
    assert_adds_up(stack, sku)


def test_of_calls_with_one_key_at_once_one_acts(stack: Stack, shop: httpx.Client) -> None:
    sku, key = a_sku(), a_key()
    receive(shop, sku, 50)
    body = {"order_key": "order-1", "lines": [{"sku": sku, "quantity": 1}]}

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=str(shop.base_url), timeout=15.0, trust_env=False) as client:
            return await asyncio.gather(*(client.post("/reservations", json=body, headers=key) for _ in range(20)))

    answers = asyncio.run(all_at_once())
    assert Counter(answer.status_code for answer in answers) == Counter({200: 19, 201: 1})
    assert stock_of(shop, sku)["reserved"] == 1


def test_of_two_buyers_of_the_last_unit_at_once_one_gets_it(stack: Stack, shop: httpx.Client) -> None:
    skus = [a_sku() for _ in range(50)]
    for sku in skus:
        receive(shop, sku, 1)

    async def both(client: httpx.AsyncClient, sku: str) -> list[int]:
        body = {"order_key": "order-1", "lines": [{"sku": sku, "quantity": 1}]}
        calls = (client.post("/reservations", json=body, headers=a_key()) for _ in range(2))
        return sorted(answer.status_code for answer in await asyncio.gather(*calls))

    async def each_in_turn() -> list[list[int]]:
        async with httpx.AsyncClient(base_url=str(shop.base_url), timeout=15.0, trust_env=False) as client:
            return [await both(client, sku) for sku in skus]

    assert asyncio.run(each_in_turn()) == [[201, 409]] * len(skus)


def test_several_skus_are_held_together_or_not_at_all(stack: Stack, shop: httpx.Client) -> None:
    plenty, few = a_sku(), a_sku()
    receive(shop, plenty, 10)
    receive(shop, few, 1)
    key = a_key()
    refused = reserve(shop, {plenty: 2, few: 2}, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "out_of_stock")
    assert few in refused.json()["error"]["fields"][0]["message"]
    assert (stock_of(shop, plenty)["reserved"], stock_of(shop, few)["reserved"]) == (0, 0)
    receive(shop, few, 1)
    held = reserve(shop, {plenty: 2, few: 2}, key)
    assert (held.status_code, held.json()["state"]) == (201, "held")
    assert shop.post(f"/reservations/{held.json()['id']}/release").json()["state"] == "released"
    assert shop.post(f"/reservations/{held.json()['id']}/confirm").status_code == 409
    for sku in (plenty, few):
        assert assert_adds_up(stack, sku).on_hand == stock_of(shop, sku)["received"]


@pytest.mark.proof
def test_an_unconfirmed_reservation_goes_back_once_and_is_counted(stack: Stack, shop: httpx.Client) -> None:
    sku = a_sku()
    receive(shop, sku, 3)
    before = metric(shop, "inventory_reservation_expired_total")
    id_ = reserve(shop, {sku: 3}).json()["id"]
    Deadline(10).wait_for(
        "it to be counted", lambda: True if metric(shop, "inventory_reservation_active_total") >= 1 else None
    )
    await_nothing_held(shop, sku, TTL_SECONDS + 10)
    assert shop.get(f"/reservations/{id_}").json()["state"] == "expired"
    assert metric(shop, "inventory_reservation_expired_total") >= before + 1
    # Still there, so it may be had after all; and then no more.
    assert shop.post(f"/reservations/{id_}/confirm").json()["state"] == "confirmed"
    assert stock_of(shop, sku)["on_hand"] == 0
    assert_adds_up(stack, sku)


def test_a_ttl_shortened_by_alter_table_is_noticed_and_sells_nothing_twice(stack: Stack, shop: httpx.Client) -> None:
    sku = a_sku()
    receive(shop, sku, 1)
    try:
        wanted = {"ok": True, "keyspace": "inventory", "table": "reservations", "previousTtl": 900, "ttl": 3}
        assert chaos("--ttl", "3") == wanted
        Deadline(15).wait_for(
            "it to be noticed",
            lambda: True if metric(shop, "inventory_reservation_ttl_below_floor") == 1 else None,
        )
        health = shop.get("/health").json()
        assert health["status"] == "healthy"
        assert "default_time_to_live" in health["dependencies"]["reservation-ttl"]["problem"]
        rechecked = metric(shop, "shop_inventory_rechecked_total")
        first = reserve(shop, {sku: 1}).json()["id"]
        began = time.monotonic()
        await_nothing_held(shop, sku, 15)
        assert time.monotonic() - began < TTL_SECONDS - 4
        second = reserve(shop, {sku: 1}).json()["id"]
        assert shop.post(f"/reservations/{second}/confirm").status_code == 200
        late = shop.post(f"/reservations/{first}/confirm")
        assert (late.status_code, late.json()["error"]["code"]) == (409, "reservation_expired")
        assert metric(shop, "shop_inventory_rechecked_total") == rechecked + 2
        assert (stock_of(shop, sku)["sold"], stock_of(shop, sku)["on_hand"]) == (1, 0)
    finally:
        assert chaos("--revert", "--previous-ttl", "900")["ttl"] == 900
    Deadline(15).wait_for(
        "it to be well again",
        lambda: True if metric(shop, "inventory_reservation_ttl_below_floor") == 0 else None,
    )
    assert_adds_up(stack, sku)


def test_a_ttl_that_the_table_of_stock_got_in_error_ends_no_stock(stack: Stack, shop: httpx.Client) -> None:
    sku = a_sku()
    rows(stack, "ALTER TABLE inventory.stock WITH default_time_to_live = 600")
    try:
        receive(shop, sku, 3)
        assert reserve(shop, {sku: 2}).status_code == 201
        lives = rows(
            stack, "SELECT kind, TTL(version), TTL(state), TTL(payload) FROM inventory.stock WHERE sku = %s", sku
        )
    finally:
        rows(stack, "ALTER TABLE inventory.stock WITH default_time_to_live = 0")
    assert {totals for _, totals, _, _ in lives} == {None}
    assert [line for kind, _, line, _ in lives if kind == "line"] == [None]
    assert all(line > 600 for kind, _, line, _ in lives if kind == "receipt")
    assert all(event > 600 for kind, _, _, event in lives if kind == "event")


@pytest.mark.parametrize("where", [("inventory", "stock"), ("system_auth", "roles")])
def test_a_table_whose_rows_never_expire_gets_no_ttl(
    supervisor: SupervisorClient, stack: Stack, where: tuple[str, str]
) -> None:
    told = chaos("--keyspace", where[0], "--table", where[1], "--ttl", "60", ends=2)
    assert (told["ok"], "never expire" in told["problem"]) == (False, True)
    ((ttl,),) = rows(
        stack,
        "SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
        *where,
    )
    assert ttl == 0


def await_events(stack: Stack, sku: str, count: int, seconds: float = 60.0) -> list[dict[str, Any]]:
    """The SKU's first events in Kafka, each once, in the order in which they came."""
    seen: dict[str, dict[str, Any]] = {}
    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": f"test-{uuid.uuid4().hex}",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe(["events.inventory"])

        def look() -> bool | None:
            for message in consumer.consume(500, timeout=1.0):
                value = message.value()
                if message.error() is None and value is not None and message.key() == sku.encode():
                    told = orjson.loads(value)
                    seen.setdefault(told["event_id"], told)
            return True if len(seen) >= count else None

        Deadline(seconds).wait_for("the events", look, seen=lambda: f"{len(seen)} of {count}")
    finally:
        consumer.close()
    return list(seen.values())


@pytest.mark.proof
def test_each_change_reaches_kafka_and_each_skus_order_is_kept(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku = a_sku()
    receive(shop, sku, 5)
    ids = [reserve(shop, {sku: 1}).json()["id"] for _ in range(3)]
    shop.post(f"/reservations/{ids[0]}/confirm")
    supervisor.kill("inventory-service")
    await_health(stack)
    shop.post(f"/reservations/{ids[1]}/release")
    wanted = ["stock.received", *["reservation.held"] * 3, "reservation.confirmed", "reservation.released"]
    events = await_events(stack, sku, len(wanted))
    assert [event["type"] for event in events] == wanted
    assert [event["data"]["on_hand"] for event in events] == [5, 4, 3, 2, 2, 3]
    assert all((event["aggregate"], event["aggregate_id"]) == ("stock", sku) for event in events)


@pytest.mark.proof
def test_more_events_than_are_kept_in_memory_wait_for_kafka_and_go_in_order(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku, many = a_sku(), KEPT_OF_ONE + 500
    supervisor.stop("kafka")
    try:
        with ThreadPoolExecutor(16) as callers:
            list(callers.map(lambda _: receive(shop, sku, 1), range(many)))
    finally:
        supervisor.start("kafka")
    events = await_events(stack, sku, many, seconds=120.0)
    assert [event["data"]["on_hand"] for event in events] == list(range(1, many + 1))


@pytest.mark.proof
def test_without_the_ring_everything_is_refused_in_time_and_said(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    sku = a_sku()
    receive(shop, sku, 1)
    for name in reversed(NODES):
        supervisor.stop(name)
    try:
        began = time.monotonic()
        refused = reserve(shop, {sku: 1})
        assert (refused.status_code, time.monotonic() - began < 7) == (503, True)
        began = time.monotonic()
        health = shop.get("/health")
        assert (health.status_code, time.monotonic() - began < 3.0) == (503, True)
        assert health.json()["dependencies"]["cassandra"]["problem"]
    finally:
        for name in NODES:
            supervisor.start(name)
    await_health(stack)
    assert reserve(shop, {sku: 1}).status_code == 201
