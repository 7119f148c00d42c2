"""The order service without its database: what it says when that is missing, hangs, or is lost in mid-commit.

What hangs here hangs for ever: that an answer comes at all shows that the service gives up, however slow the machine.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from asyncmy.errors import OperationalError
from fastapi import FastAPI

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import CheckoutSettings, ShopSettings
from lakeproof_shop.services.order.api import OrderApi
from lakeproof_shop.services.order.app import Checkouts, create_app
from lakeproof_shop.services.order.store import OrderStore
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.mysql import Connection

BODY = {"client_key": "k1", "customer_id": 5, "items": [{"sku": "s", "quantity": 1, "unit_price": "1.00"}]}
MADE = [(1, 7, "2026-11-24 14:43:53.042722")]
NEVER_SECONDS = 120.0  # a deadline that these tests never reach: those of the service are what ends a wait


async def for_ever() -> None:
    """What a hanging peer does."""
    await asyncio.Event().wait()


class FakeCursor:
    """Answers by the first word of a statement; an exception is raised, "hang" never answers, an event holds back."""

    def __init__(self, answers: dict[str, Any], log: list[str]) -> None:
        self._answers, self._log = answers, log
        self.description: object = None
        self._rows: list[Any] = []

    async def execute(self, statement: str, args: object = None) -> None:
        word = statement.split()[0]
        self._log.append(word)
        answer = self._answers.get(word)
        if answer == "hang":
            await for_ever()
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = MADE
        if isinstance(answer, Exception):
            raise answer
        self._rows = answer or []
        self.description = object() if answer is not None else None

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def nextset(self) -> bool:
        return False


class FakeConnection:
    def __init__(self, answers: dict[str, Any], log: list[str]) -> None:
        self._answers, self._log = answers, log

    def cursor(self) -> FakeCursor:
        return FakeCursor(self._answers, self._log)

    def close(self) -> None:
        self._log.append("closed")


def connects(answers: dict[str, Any], log: list[str]) -> Callable[[], Awaitable[Connection]]:
    async def connect() -> Connection:
        return FakeConnection(answers, log)

    return connect


async def refuses() -> Connection:
    raise DatabaseDown("cannot connect (2003)")


async def never_ends() -> Connection:
    await for_ever()
    raise DatabaseDown("unreachable")


@asynccontextmanager
async def serving(connect: Callable[[], Awaitable[Connection]], **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = create_app(ShopSettings(**({"request_seconds": NEVER_SECONDS} | settings)), connect)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


async def test_a_commit_without_an_answer_is_unclear_and_not_tried_again() -> None:
    log: list[str] = []
    answers = {"START": MADE, "COMMIT": OperationalError(2013, "Lost connection to MySQL server during query")}
    async with serving(connects(answers, log)) as shop:
        answer = await shop.post("/orders", json=BODY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "unclear")
    assert (log.count("COMMIT"), log.count("START")) == (1, 1)


async def test_a_commit_that_hangs_until_the_deadline_is_unclear() -> None:
    async with serving(connects({"START": MADE, "COMMIT": "hang"}, []), request_seconds=1.0) as shop:
        answer = await shop.post("/orders", json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unclear")


async def test_a_connection_lost_before_the_commit_is_tried_again_and_then_not_done() -> None:
    log: list[str] = []
    async with serving(connects({"START": OperationalError(2013, "Lost")}, log)) as shop:
        answer = await shop.post("/orders", json=BODY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
    assert (log.count("START"), log.count("COMMIT")) == (3, 0)


async def test_a_deadlock_is_tried_again_within_the_request() -> None:
    log: list[str] = []
    answers: dict[str, Any] = {"START": OperationalError(1213, "Deadlock found")}

    async def connect() -> Connection:
        if log.count("START") >= 2:
            answers["START"] = MADE
        return FakeConnection(answers, log)

    async with serving(connect) as shop:
        answer = await shop.post("/orders", json=BODY)
    assert (answer.status_code, log.count("START")) == (201, 3)


async def test_a_statement_that_hangs_is_given_up_in_time_and_its_connection_is_thrown_away() -> None:
    log: list[str] = []
    async with serving(connects({"START": "hang"}, log), request_seconds=0.2) as shop:
        answer = await shop.post("/orders", json=BODY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
    assert "closed" in log


async def test_a_service_that_ends_by_an_error_leaves_no_sweeper_at_work() -> None:
    app = create_app(ShopSettings(), refuses, Checkouts({}, CheckoutSettings()))
    with pytest.raises(ZeroDivisionError):
        async with app.router.lifespan_context(app):
            raise ZeroDivisionError
    assert "checkout sweeper" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_database_that_is_not_there_shows_in_health() -> None:
    async with serving(refuses) as shop:
        answer = await shop.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "starting")
    assert answer.json()["dependencies"]["mysql"]["status"] == "unhealthy"


async def test_all_who_ask_for_the_health_of_a_hanging_database_share_one_look_that_ends() -> None:
    opened = 0

    async def connect() -> Connection:
        nonlocal opened
        opened += 1
        return await never_ends()

    async with serving(connect) as shop:
        answers = await asyncio.gather(*(shop.get("/health") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {503}
    assert opened <= 2  # the service's own first look, and one more where that had ended before all had asked


async def test_a_service_that_was_healthy_becomes_unhealthy() -> None:
    answers: dict[str, Any] = {"SELECT": OperationalError(2013, "Lost")}

    class TwoResults(FakeConnection):
        def cursor(self) -> FakeCursor:
            cursor = FakeCursor(self._answers, self._log)
            left = [True]

            async def nextset() -> bool:
                return left.pop() if left else False

            cursor.nextset = nextset  # type: ignore[method-assign]
            return cursor

    async def connect() -> Connection:
        return TwoResults(answers, [])

    async with serving(connect) as shop:
        answers["SELECT"] = [(0,)]
        assert (await shop.get("/health")).json()["status"] == "healthy"
        answers["SELECT"] = OperationalError(2013, "Lost")
        assert (await shop.get("/health")).json()["status"] == "unhealthy"


async def test_a_full_pool_refuses_in_time() -> None:
    async with serving(connects({"START": "hang"}, []), pool_size=1, request_seconds=0.4) as shop:
        answers = await asyncio.gather(*(shop.post("/orders", json=BODY) for _ in range(5)))
    assert {(answer.status_code, answer.json()["outcome"]) for answer in answers} == {(503, "not_done")}


async def test_more_requests_than_can_be_served_are_refused_before_any_work() -> None:
    database_goes_on = asyncio.Event()
    async with serving(connects({"START": database_goes_on}, []), pool_size=1) as shop:
        calls = [asyncio.create_task(shop.post("/orders", json=BODY)) for _ in range(30)]
        answered: set[asyncio.Task[httpx.Response]] = set()
        while len(answered) < 10:
            answered, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        at_the_door = {call.result().json()["error"]["message"] for call in answered}
        metrics = await shop.get("/metrics")
        database_goes_on.set()
        answers = await asyncio.gather(*calls)
    assert (at_the_door, metrics.status_code) == ({"20 requests are under way"}, 200)
    assert len([answer for answer in answers if "20 requests are under way" in answer.text]) == 10


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b'{"client_key"'
        await for_ever()
        yield b"}"

    async with serving(refuses, request_seconds=0.2) as shop:
        answer = await shop.post("/orders", content=drip(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "body_timeout")


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"[]", 422), (b"\xff\xfe", 400), (b"null", 422), (b"", 422)]
)
async def test_rubbish_is_refused_in_our_shape(content: bytes, status: int) -> None:
    async with serving(refuses) as shop:
        answer = await shop.post("/orders", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, set(answer.json())) == (status, {"error", "outcome", "trace_id"})


class Gone(OrderStore):
    """Has no order; it was deleted. Keeps how much time each question had."""

    def __init__(self) -> None:
        self.deadlines: list[Deadline] = []

    async def find(self, order_id: int, deadline: Deadline) -> None:
        self.deadlines.append(deadline)

    async def was_deleted(self, order_id: int, deadline: Deadline) -> bool:
        self.deadlines.append(deadline)
        return True


async def test_both_questions_after_an_order_that_is_gone_share_the_requests_time() -> None:
    store = Gone()
    app: FastAPI = create_app(ShopSettings(), refuses)
    app.state.orders = OrderApi(store, 1.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        assert (await client.get("/orders/1")).status_code == 410
    asked, asked_again = store.deadlines
    assert asked is asked_again


async def test_openapi_tells_of_every_answer() -> None:
    async with serving(refuses) as shop:
        paths = (await shop.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/orders",
        "/orders/{order_id}",
        "/orders/{order_id}/pay",
        "/orders/{order_id}/cancel",
        "/health",
        "/metrics",
    }
    assert {"200", "404", "409", "410", "412", "413", "422", "428", "503"} <= set(
        paths["/orders/{order_id}/pay"]["post"]["responses"]
    )
