"""Redis as the timeline's cache uses it, in memory; it can be frozen."""

import asyncio
from typing import Any, Self


class FakeRedis:
    """`looks` counts the questions while frozen. It forgets nothing; `lives`: how long it was to keep it, in ms."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.lives: dict[str, int] = {}
        self.frozen = False
        self.looks = 0

    async def _answer(self) -> None:
        if self.frozen:
            self.looks += 1
            await asyncio.Event().wait()

    async def mget(self, *keys: str) -> list[bytes | None]:
        await self._answer()
        return [self.values.get(key) for key in keys]

    async def set(self, key: str, value: bytes | str, *, nx: bool = False, px: int = 0, **_: Any) -> bool:
        await self._answer()
        if not (nx and key in self.values):
            self.values[key] = value if isinstance(value, bytes) else value.encode()
            self.lives[key] = px
        return True

    def pipeline(self, transaction: bool) -> "FakePipeline":
        return FakePipeline(self)


class FakePipeline:
    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis
        self._calls: list[Any] = []

    def set(self, *args: Any, **more: Any) -> Self:
        self._calls.append(lambda: self._redis.set(*args, **more))
        return self

    def get(self, key: str) -> Self:
        async def look() -> bytes | None:
            return self._redis.values.get(key)

        self._calls.append(look)
        return self

    async def execute(self) -> list[Any]:
        return [await call() for call in self._calls]
