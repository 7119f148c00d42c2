"""The health question: which dependency's trouble makes a service unhealthy, and which is only told."""

import asyncio
import socket
import struct

import pytest

from lakeproof_shop.serving.health import Health, HealthQuestion
from lakeproof_shop.serving.mail_greeting import greeting_problem


async def fine() -> str:
    return ""


async def broken() -> str:
    raise ConnectionResetError(104, "Connection reset by peer")


async def down() -> str:
    return "cannot connect"


@pytest.mark.parametrize(
    ("without", "word"), [(frozenset({"redis"}), Health.HEALTHY), (frozenset(), Health.STARTING)]
)
async def test_a_dependency_that_a_service_works_without_is_told_and_leaves_it_healthy(
    without: frozenset[str], word: Health
) -> None:
    said, found = await HealthQuestion({"postgres": fine, "redis": down}, works_without=without).ask()
    assert (said, found["redis"].problem, found["postgres"].problem) == (word, "cannot connect", "")


async def test_a_service_that_was_healthy_once_is_unhealthy_afterwards_not_starting() -> None:
    problem = ""

    async def question() -> str:
        return problem

    asked = HealthQuestion({"postgres": question})
    assert (await asked.ask())[0] is Health.HEALTHY
    problem = "connection lost"
    assert (await asked.ask())[0] is Health.UNHEALTHY


async def test_an_error_of_one_question_is_its_dependencys_problem_and_hides_no_other() -> None:
    said, found = await HealthQuestion({"postgres": down, "mail": broken, "redis": fine}).ask()
    assert (said, found["mail"].problem) == (Health.STARTING, "[Errno 104] Connection reset by peer")
    assert (found["postgres"].problem, found["redis"].problem) == ("cannot connect", "")


async def test_a_mail_server_that_hangs_up_is_told_as_such() -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # At once, and not after what is written: the other end is reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        assert await greeting_problem(host, port) == "no answer: Connection reset by peer"
