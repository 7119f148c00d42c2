"""The limiter without a Redis that answers: messages pass, each is counted, none waits."""

import asyncio
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from lakeproof_shop.services.notification import limiter as limiter_module
from lakeproof_shop.services.notification.limiter import Limiter, Verdict
from lakeproof_shop.services.notification.metrics import NotificationMetrics


@asynccontextmanager
async def limiter_at(port: int, metrics: NotificationMetrics, seconds: float = 0.1) -> AsyncIterator[Limiter]:
    made = Limiter(f"redis://127.0.0.1:{port}/0", metrics, limit=1, window_seconds=60, seconds=seconds)
    try:
        yield made
    finally:
        await made.close()


def errors(metrics: NotificationMetrics) -> dict[str, float]:
    found = next(iter(metrics.rate_limit_errors.collect())).samples
    return {one.labels["operation"]: one.value for one in found if one.name.endswith("_total")}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        made.settimeout(5)
        yield made


@pytest.mark.parametrize("answers", ["silent", "refused"])
async def test_thirty_messages_at_once_pass_in_time_and_are_counted(
    listener: socket.socket, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together, in far less than the 3 s which thirty would take one after another."""
    monkeypatch.setattr(limiter_module, "LONGEST_SECONDS", 10.0)
    monkeypatch.setattr(limiter_module, "BREAK_SECONDS", 60.0)
    metrics, port = NotificationMetrics(), listener.getsockname()[1]
    if answers == "refused":
        listener.close()
    async with limiter_at(port, metrics) as limiter:
        started = time.monotonic()
        verdicts = await asyncio.gather(*(limiter.ask(1, "email", uuid.uuid4()) for _ in range(30)))
        assert time.monotonic() - started < 2.5
        assert verdicts == [Verdict(True)] * 30
        before = errors(metrics)
        assert before["check"] >= 1 and sum(before.values()) == 30
        await limiter.ask(1, "email", uuid.uuid4())
        assert errors(metrics)["skipped"] == before["skipped"] + 1


async def test_an_answer_that_nobody_expected_lets_messages_pass(listener: socket.socket) -> None:
    metrics = NotificationMetrics()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65536):
                connection.sendall(b"+WHAT\r\n" * 8)

    serving = asyncio.create_task(asyncio.to_thread(serve))
    async with limiter_at(listener.getsockname()[1], metrics) as limiter:
        assert await limiter.ask(1, "email", uuid.uuid4()) == Verdict(True)
    await serving
    assert sum(errors(metrics).values()) == 1


def answer(connection: socket.socket) -> None:
    """As a Redis in which there is room: `:0` for each command but the first, which asks for the protocol."""
    connection.settimeout(5)
    with connection:
        while told := connection.recv(65536):
            hello = b"%1\r\n$5\r\nproto\r\n:3\r\n" * told.count(b"HELLO\r\n")
            connection.sendall(hello + b":0\r\n" * (told.count(b"CLIENT\r\n") + told.count(b"EVAL\r\n")))


@pytest.mark.parametrize("first", ["hangs up", "is silent"])
async def test_a_question_that_failed_once_is_asked_again(
    listener: socket.socket, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each error is an alert, and a machine that stood still makes one answer late."""
    monkeypatch.setattr(limiter_module, "LONGEST_SECONDS", 30.0)
    metrics, verdicts = NotificationMetrics(), []

    def serve() -> None:
        with listener.accept()[0] as connection:
            if first == "hangs up":
                connection.close()
            answer(listener.accept()[0])

    serving = asyncio.create_task(asyncio.to_thread(serve))
    async with limiter_at(listener.getsockname()[1], metrics, seconds=1.0) as limiter:
        verdicts.append(await limiter.ask(1, "email", uuid.uuid4()))
        verdicts.append(await limiter.ask(1, "email", uuid.uuid4()))
    await serving
    assert verdicts == [Verdict(True)] * 2 and sum(errors(metrics).values()) == 0


async def test_a_process_that_stood_still_takes_the_answer_that_comes_a_moment_later(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then all its time is over. The limiter's thread stood still as well, and answers a moment later."""
    monkeypatch.setattr(limiter_module, "LONGEST_SECONDS", 3.0)
    metrics, going = NotificationMetrics(), threading.Event()

    def serve() -> None:
        connection = listener.accept()[0]
        assert going.wait(30)
        answer(connection)

    serving = asyncio.create_task(asyncio.to_thread(serve))
    async with limiter_at(listener.getsockname()[1], metrics, seconds=5.0) as limiter:
        asked = asyncio.create_task(limiter.ask(1, "email", uuid.uuid4()))
        await asyncio.sleep(0)  # until it is asked
        time.sleep(1.1 * limiter_module.LONGEST_SECONDS)  # nothing of the loop runs meanwhile
        asyncio.get_running_loop().call_later(0.05, going.set)
        assert await asked == Verdict(True)
    await serving
    assert sum(errors(metrics).values()) == 0
