"""Ways to do the same are measured in turns and told by way; a caller's refusal ends the benchmark."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pytest
from tests.conftest import Answers

from benchmarks import in_turns as module
from benchmarks.closed_loop import Call
from benchmarks.in_turns import InTurns, in_turns
from benchmarks.posting import posting
from lakeproof.errors import TerminalError


def cpu_times(user: float, system: float) -> SimpleNamespace:
    return SimpleNamespace(user=user, system=system)


async def test_each_way_has_its_turn_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WARM_SECONDS", 0.01)
    said: list[str] = []

    def taking(seconds: float) -> Call:
        async def call() -> None:
            await asyncio.sleep(seconds)

        return call

    ways = {"quick": [taking(0.001)] * 2, "slow": [taking(0.02)]}
    # The kernel counts CPU in steps of 10 ms, more than these calls take: so the looks are given.
    service, looks = psutil.Process(), iter((cpu_times(1.0, 0.5), cpu_times(1.25, 0.75)))
    monkeypatch.setattr(service, "cpu_times", lambda: next(looks))
    done = await in_turns("calls", ways, 0.05, service, said.append)
    turns = [text.split(": ")[1].split()[0] for text in said if text.startswith("round")]
    assert turns == ["quick", "slow"] * module.ROUNDS
    assert done.rate("quick") > done.rate("slow") > 0
    assert done.cpu_seconds == 0.5


def test_a_row_tells_the_median_of_the_rounds_and_the_percentiles_of_all_calls() -> None:
    rounds = [(10.0, [0.1] * 50), (30.0, [0.2] * 50), (20.0, [0.3] * 50)]
    done = InTurns("orders", {"sql": rounds}, 5.0, cpu_seconds=3.0, rss_bytes=0)
    (row,) = done.rows()
    assert (row["by"], row["orders_per_second"], row["lowest_round"], row["highest_round"]) == ("sql", 20, 10, 30)
    assert (row["p50_ms"], row["max_ms"], done.cpu_ms("sql")) == (200, 300, 20)


async def test_an_answer_that_was_not_wanted_is_told(answering: Callable[[Answers], str]) -> None:
    asked: list[bytes] = []

    def answer(_method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(body)
        return (201, {"id": 7}) if path == "/orders" else (409, {"error": "no"})

    async with posting(f"http://{answering(answer)}") as post:
        assert await post("/orders", {"quantity": 1}, 201) == b'{"id": 7}'
        with pytest.raises(TerminalError, match="409") as told:
            await post("/orders/7/pay", None, 200)
    assert told.value.where == "POST /orders/7/pay"
    assert asked == [b'{"quantity":1}', b""]
