"""Clients of which each calls again as soon as it was answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable

type Call = Callable[[], Awaitable[None]]


async def closed_loop(clients: list[Call], seconds: float) -> tuple[float, list[float]]:
    """Run the clients for `seconds`, one call at a time each; gives calls per second and the seconds of each call.

    Raises: what a call raises.
    """
    calls: list[float] = []
    started = time.perf_counter()

    async def client(call: Call) -> None:
        while time.perf_counter() - started < seconds:
            sent = time.perf_counter()
            await call()
            calls.append(time.perf_counter() - sent)

    await asyncio.gather(*(client(call) for call in clients))
    return len(calls) / (time.perf_counter() - started), calls
