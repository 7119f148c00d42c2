"""The payment service on a real PostgreSQL: nobody is charged twice, no money is made up, nothing hangs."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack

pytestmark = pytest.mark.engines

REQUEST_SECONDS = 5.0


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("payment-service")


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    await_health(stack)
    with httpx.Client(base_url=stack.url("payment-service"), timeout=15.0) as client:
        yield client


def await_health(stack: Stack, seconds: float = 60.0) -> None:
    def look() -> bool | None:
        try:
            answer = httpx.get(f"{stack.url('payment-service')}/health", timeout=3.0)
        except httpx.HTTPError:
            return None
        return True if answer.status_code == 200 else None

    Deadline(seconds).wait_for("a healthy payment service", look)


def a_key() -> dict[str, str]:
    return {"idempotency-key": f"test-{uuid.uuid4().hex}"}


def an_order() -> int:
    return uuid.uuid4().int % 2**50 + 1


def body(order_id: int, amount: str = "15.30", card: str = "tok_visa") -> dict[str, Any]:
    return {"order_id": order_id, "customer_id": 5, "amount": amount, "card": card}


def authorized(shop: httpx.Client, amount: str = "15.30") -> dict[str, Any]:
    answer = shop.post("/payments", json=body(an_order(), amount), headers=a_key())
    assert answer.status_code == 201, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


def captured(shop: httpx.Client, amount: str = "15.30") -> dict[str, Any]:
    answer = shop.post(f"/payments/{authorized(shop, amount)['id']}/capture", headers=a_key())
    assert answer.status_code == 200, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


def rows(stack: Stack, sql: str, *args: object) -> list[tuple[Any, ...]]:
    return postgres_session.select(stack, "reader", "postgres-reader", sql, *args, database="shop", schema="payment")


def at_once(stack: Stack, calls: list[tuple[str, dict[str, Any] | None, dict[str, str]]]) -> list[httpx.Response]:
    """All POSTs at the same time."""

    async def run() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(calls))
        async with httpx.AsyncClient(base_url=stack.url("payment-service"), timeout=30.0, limits=limits) as client:
            return await asyncio.gather(*(client.post(path, json=json, headers=key) for path, json, key in calls))

    return asyncio.run(run())


def test_fifty_authorizations_of_one_key_at_once_are_one(stack: Stack, shop: httpx.Client) -> None:
    order, key = an_order(), a_key()
    answers = at_once(stack, [("/payments", body(order), key)] * 50)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}
    assert len({answer.text for answer in answers}) == 1
    (found,) = rows(stack, "SELECT id FROM payments WHERE order_id = $1", order)
    for table, column in (("payment_events", "payment_id"), ("payment_operations", "payment_id")):
        assert rows(stack, f"SELECT count(*) FROM {table} WHERE {column} = $1", found[0]) == [(1,)]
    assert rows(stack, "SELECT count(*) FROM outbox WHERE aggregate_id = $1", str(found[0])) == [(1,)]


def test_of_fifty_payments_for_one_order_at_once_one_is_taken(stack: Stack, shop: httpx.Client) -> None:
    order = an_order()
    answers = at_once(stack, [("/payments", body(order), a_key()) for _ in range(50)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 409} == {
        "order_has_payment"
    }
    assert rows(stack, "SELECT count(*) FROM payments WHERE order_id = $1", order) == [(1,)]


def test_a_decline_is_recorded_and_the_same_for_its_key(stack: Stack, shop: httpx.Client) -> None:
    order, key = an_order(), a_key()
    first = shop.post("/payments", json=body(order, card="tok_insufficient_funds"), headers=key)
    assert (first.status_code, first.json()["error"]["code"]) == (402, "insufficient_funds")
    good = shop.post("/payments", json=body(order), headers=a_key())
    assert good.status_code == 201
    again = shop.post("/payments", json=body(order, card="tok_insufficient_funds"), headers=key)
    assert again.status_code == 402 and again.headers["idempotent-replayed"] == "true"
    assert again.json()["payment"] == first.json()["payment"]
    found = shop.get("/payments", params={"order_id": order}).json()["payments"]
    assert [payment["status"] for payment in found] == ["declined", "authorized"]
    assert found[0]["authorized"] == "0.00"


def test_declines_of_one_key_at_once_are_one(stack: Stack, shop: httpx.Client) -> None:
    order, key = an_order(), a_key()
    answers = at_once(stack, [("/payments", body(order, card="tok_declined"), key)] * 20)
    assert {answer.status_code for answer in answers} == {402}
    assert len({answer.json()["payment"]["id"] for answer in answers}) == 1
    assert rows(stack, "SELECT count(*) FROM payments WHERE order_id = $1", order) == [(1,)]


def test_a_key_that_was_used_for_something_else_is_refused(shop: httpx.Client) -> None:
    key, order = a_key(), an_order()
    payment = shop.post("/payments", json=body(order), headers=key).json()
    for path, json in (
        ("/payments", body(order, "15.31")),
        ("/payments", body(an_order())),
        (f"/payments/{payment['id']}/capture", {}),
        (f"/payments/{payment['id']}/void", None),
    ):
        answer = shop.post(path, json=json, headers=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "key_reused")
    assert shop.get(f"/payments/{payment['id']}").json() == payment


def test_a_repeated_key_gets_the_answer_that_it_had(shop: httpx.Client) -> None:
    payment, key, refund = authorized(shop), a_key(), a_key()
    path = f"/payments/{payment['id']}"
    first = shop.post(f"{path}/capture", json={"amount": "10"}, headers=key)
    part = shop.post(f"{path}/refund", json={"amount": "4.00"}, headers=refund)
    assert shop.post(f"{path}/capture", json={"amount": "10.00"}, headers=key).json() == first.json()
    again = shop.post(f"{path}/refund", json={"amount": "4.00"}, headers=refund)
    assert (again.status_code, again.json()) == (200, part.json())
    assert again.headers["idempotent-replayed"] == "true"
    now = shop.get(path).json()
    assert (now["status"], now["captured"], now["refunded"]) == ("partially_refunded", "10.00", "4.00")


def test_a_refund_of_a_thousand_times_the_amount_is_refused(shop: httpx.Client) -> None:
    payment = captured(shop, "15.30")
    path = f"/payments/{payment['id']}"
    answer = shop.post(f"{path}/refund", json={"amount": "15300.00"}, headers=a_key())
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "more_than_captured")
    assert answer.json()["outcome"] == "not_done"
    assert shop.get(path).json() == payment


def test_refunds_at_once_never_give_back_more_than_was_captured(stack: Stack, shop: httpx.Client) -> None:
    payment = captured(shop, "10.00")
    path = f"/payments/{payment['id']}"
    answers = at_once(stack, [(f"{path}/refund", {"amount": "1.00"}, a_key()) for _ in range(25)])
    assert Counter(answer.status_code for answer in answers) == {200: 10, 409: 15}
    now = shop.get(path).json()
    assert (now["status"], now["refunded"], now["version"]) == ("refunded", "10.00", 12)


def test_of_captures_and_voids_at_once_one_is_done(stack: Stack, shop: httpx.Client) -> None:
    for _ in range(5):
        path = f"/payments/{authorized(shop)['id']}"
        calls: list[tuple[str, dict[str, Any] | None, dict[str, str]]] = [
            (f"{path}/{op}", None, a_key()) for op in ("capture", "void") * 5
        ]
        answers = at_once(stack, calls)
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
        assert shop.get(path).json()["version"] == 2


def test_an_order_whose_payment_was_voided_or_refunded_may_pay_again(shop: httpx.Client) -> None:
    order = an_order()
    for way in (["void"], ["capture", "refund"], []):
        answer = shop.post("/payments", json=body(order), headers=a_key())
        assert answer.status_code == 201, answer.text
        for op in way:
            assert shop.post(f"/payments/{answer.json()['id']}/{op}", headers=a_key()).status_code == 200


def test_events_can_be_neither_changed_nor_deleted(stack: Stack, shop: httpx.Client) -> None:
    payment = authorized(shop)
    for sql in ("UPDATE payment_events SET amount = 0", "DELETE FROM payment_events", "TRUNCATE payment_events"):
        with pytest.raises(Exception, match="append-only"):
            postgres_session.select(
                stack, "payment_service", "postgres-payment-service", sql, database="shop", schema="payment"
            )
    events = rows(stack, "SELECT type, amount FROM payment_events WHERE payment_id = $1", payment["id"])
    assert [(kind, str(amount)) for kind, amount in events] == [("authorized", "15.30")]


def test_the_tables_themselves_refuse_money_that_is_not_there(stack: Stack, shop: httpx.Client) -> None:
    payment = captured(shop)
    for change in (
        "refunded = 15.31, status = 'refunded'",
        "captured = 15.31",
        "status = 'authorized'",
        "amount = 1",
    ):
        with pytest.raises(Exception, match="check constraint"):
            postgres_session.select(
                stack,
                "payment_service",
                "postgres-payment-service",
                f"UPDATE payments SET {change} WHERE id = {payment['id']}",
                database="shop",
                schema="payment",
            )


async def pay_through_a_kill(
    stack: Stack, supervisor: SupervisorClient, wanted: list[tuple[int, dict[str, str]]], answered: dict[int, int]
) -> Counter[str]:
    """Payments while the database is killed; what was said."""
    outcomes: Counter[str] = Counter()
    slots = asyncio.Semaphore(16)
    async with httpx.AsyncClient(base_url=stack.url("payment-service"), timeout=15.0) as client:

        async def one(order: int, key: dict[str, str]) -> None:
            async with slots:
                answer = await client.post("/payments", json=body(order), headers=key)
            if answer.status_code == 201:
                answered[order] = answer.json()["id"]
            outcomes["ok" if answer.status_code == 201 else answer.json()["outcome"]] += 1

        payers = [asyncio.create_task(one(order, key)) for order, key in wanted]
        async with asyncio.timeout(60):
            while outcomes["ok"] < 60:
                await asyncio.sleep(0.005)
        await asyncio.to_thread(supervisor.kill, "postgres")
        await asyncio.gather(*payers)
    return outcomes


def test_kill_9_of_the_database_charges_nobody_twice(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client
) -> None:
    wanted = [(an_order(), a_key()) for _ in range(400)]
    answered: dict[int, int] = {}
    outcomes = asyncio.run(pay_through_a_kill(stack, supervisor, wanted, answered))
    print(f"outcomes: {dict(outcomes)}")
    assert outcomes["not_done"] + outcomes["unclear"] > 0, "the kill met no call"
    await_health(stack)
    for order, key in wanted:
        answer = shop.post("/payments", json=body(order), headers=key)
        assert answer.status_code in (200, 201), answer.text
        assert answered.setdefault(order, answer.json()["id"]) == answer.json()["id"]
    numbers = [order for order, _ in wanted]
    found = rows(stack, "SELECT order_id, id FROM payments WHERE order_id = ANY($1::bigint[])", numbers)
    assert sorted(found) == sorted(answered.items())


def test_kill_9_of_the_service_leaves_each_payment_whole(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client
) -> None:
    wanted = [(an_order(), a_key()) for _ in range(300)]

    async def pay() -> int:
        async with httpx.AsyncClient(base_url=stack.url("payment-service"), timeout=15.0) as client:
            payers = [
                asyncio.create_task(client.post("/payments", json=body(order), headers=key)) for order, key in wanted
            ]
            async with asyncio.timeout(60):
                while sum(payer.done() for payer in payers) < 20:
                    await asyncio.sleep(0.005)
            await asyncio.to_thread(supervisor.kill, "payment-service")
            answers = await asyncio.gather(*payers, return_exceptions=True)
        return sum(isinstance(answer, Exception) for answer in answers)

    assert asyncio.run(pay()) > 0, "the kill met no call"
    await_health(stack)
    for order, key in wanted:
        assert shop.post("/payments", json=body(order), headers=key).status_code in (200, 201)
    numbers = [order for order, _ in wanted]
    assert rows(stack, "SELECT count(*) FROM payments WHERE order_id = ANY($1::bigint[])", numbers) == [(300,)]
    lacking = "SELECT count(*) FROM payments p WHERE order_id = ANY($1::bigint[]) AND NOT EXISTS (SELECT 1 FROM {})"
    for part in (
        "payment_events e WHERE e.payment_id = p.id",
        "payment_operations o WHERE o.payment_id = p.id",
        "outbox m WHERE m.aggregate_id = p.id::text",
    ):
        assert rows(stack, lacking.format(part), numbers) == [(0,)]


def test_a_stopped_database_makes_no_call_hang(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client
) -> None:
    payment = authorized(shop)
    supervisor.kill("postgres", "STOP")
    try:
        started = time.monotonic()
        answers = at_once(
            stack,
            [
                *(("/payments", body(an_order()), a_key()) for _ in range(15)),
                *((f"/payments/{payment['id']}/refund", None, a_key()) for _ in range(15)),
            ],
        )
        seconds = time.monotonic() - started
        asked = time.monotonic()
        health = httpx.get(f"{stack.url('payment-service')}/health", timeout=10.0)
        health_seconds = time.monotonic() - asked
    finally:
        supervisor.kill("postgres", "CONT")
    print(f"answered after {seconds:.1f} s, health after {health_seconds:.1f} s")
    assert {answer.status_code for answer in answers} == {503}
    assert seconds < REQUEST_SECONDS + 5.0  # what a busy machine takes besides
    assert health.status_code == 503 and health_seconds < 5.0
    assert "no answer" in health.json()["dependencies"]["postgres"]["problem"] or health.json()["status"] != "healthy"
    await_health(stack)
    assert shop.get(f"/payments/{payment['id']}").json() == payment
