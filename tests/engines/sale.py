"""A sale: many buyers, few units, one SKU. Each buyer retries with the same key, as a checkout would."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

RETRY_SECONDS = 90.0
# One in so many goes away without paying.
LEAVES = 20


@dataclass
class Outcome:
    """What the buyers were told. `sold`: reservations whose confirmation was acknowledged."""

    told: Counter[str] = field(default_factory=Counter)
    sold: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    seconds: float = 0.0
    slowest: float = 0.0


@dataclass
class Answer:
    """What came back."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """Why not."""
        return str(self.body["error"]["code"])


async def _until_answered(session: aiohttp.ClientSession, outcome: Outcome, path: str, **asked: Any) -> Answer | None:
    """The first answer that is not "try again"; None where there was none in time."""
    started = time.monotonic()
    while time.monotonic() - started < RETRY_SECONDS:
        began = time.monotonic()
        try:
            async with session.post(path, **asked) as response:
                answer = Answer(response.status, await response.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome.told[f"no answer ({type(error).__name__})"] += 1
        else:
            if answer.status != 503:
                return answer
            outcome.told[f"503 {answer.code}"] += 1
        finally:
            outcome.slowest = max(outcome.slowest, time.monotonic() - began)
        await asyncio.sleep(random.uniform(0.1, 0.5))
    return None


async def _buy(client: aiohttp.ClientSession, outcome: Outcome, sku: str, number: int) -> None:
    key = f"{sku}-{number}"
    body = {"order_key": key, "lines": [{"sku": sku, "quantity": 1}]}
    answer = await _until_answered(client, outcome, "/reservations", json=body, headers={"Idempotency-Key": key})
    if answer is None:
        outcome.told["never answered"] += 1
    elif answer.status not in (200, 201):
        outcome.told[answer.code] += 1
    elif number % LEAVES == 0:
        outcome.left.add(answer.body["id"])
        outcome.told["left without paying"] += 1
    else:
        reservation = answer.body["id"]
        confirmed = await _until_answered(client, outcome, f"/reservations/{reservation}/confirm")
        if confirmed is None:
            outcome.told["confirmation never answered"] += 1
        elif confirmed.status == 200:
            outcome.sold.add(reservation)
            outcome.told["sold"] += 1
        else:
            outcome.told[f"not confirmed: {confirmed.code}"] += 1


async def _sale(urls: list[str], sku: str, buyers: int, at_once: int, midway: Callable[[], None] | None) -> Outcome:
    outcome = Outcome()
    order = list(range(1, buyers + 1))
    random.Random(7).shuffle(order)
    limit = asyncio.Semaphore(at_once)
    answered = 0
    half = asyncio.Event()
    clients = [
        aiohttp.ClientSession(
            base_url=url,
            timeout=aiohttp.ClientTimeout(total=15.0),
            connector=aiohttp.TCPConnector(limit=at_once),
        )
        for url in urls
    ]

    async def one(number: int) -> None:
        nonlocal answered
        async with limit:
            await _buy(clients[number % len(clients)], outcome, sku, number)
            answered += 1
            if answered >= 30:
                half.set()

    async def break_something() -> None:
        await half.wait()
        if midway is not None:
            await asyncio.to_thread(midway)

    started = time.monotonic()
    breaking = asyncio.create_task(break_something())
    await asyncio.gather(*(one(number) for number in order))
    await breaking
    outcome.seconds = time.monotonic() - started
    for client in clients:
        await client.close()
    return outcome


def sale(
    urls: list[str], sku: str, *, buyers: int = 1000, at_once: int = 64, midway: Callable[[], None] | None = None
) -> Outcome:
    """All buyers, `at_once` at a time; `midway` runs once 30 of them are through."""
    return asyncio.run(_sale(urls, sku, buyers, at_once, midway))
