"""Timelines in Redis, for a while; without Redis they are collected anew, after a short look at most.

    support:timeline:ORDER              the newest whole timeline, with the generation it was collected in
    support:timeline-generation:ORDER   a random word, another one after each invalidation

A timeline counts only while its generation is the current one. So one that was collected before a change, and is
written after it, is never served; and a generation that Redis forgot makes a miss, never an old hit.

Who tells of changes may be late, or away. So a timeline also counts only for `ttl_seconds` from the moment when its
sources began to be asked: by its own time, for a Redis that was frozen may take a write long after it was sent.

An invalidation that Redis did not take is remembered here: that order is not served from the cache until it took it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lakeproof.services.breaker import Breaker
from lakeproof.shop.support.metrics import SupportMetrics
from lakeproof.shop.support.timeline import Remote

logger = logging.getLogger(__name__)

GENERATION_KEPT_SECONDS = 86_400
PAUSE_SECONDS = 3.0  # after a failure nobody waits for Redis so long
MAX_OWED = 10_000  # beyond it nothing is served from the cache until all is taken
AT_ONCE = 500


class TimelineCache:
    """`seconds`: the limit on each look. `ttl_seconds` 0: nothing is kept. `clock`: seconds since 1970."""

    def __init__(
        self,
        redis: Redis,
        metrics: SupportMetrics,
        *,
        ttl_seconds: float,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis, self._metrics, self._clock = redis, metrics, clock
        self.ttl_seconds, self._seconds = ttl_seconds, seconds
        self._breaker = Breaker(PAUSE_SECONDS)
        self._owed: set[int] = set()

    async def read(self, order_id: int) -> tuple[Remote | None, str | None]:
        """The timeline (None: not there) and the generation to collect a new one in (None: do not keep it)."""
        if self.ttl_seconds == 0 or not await self._pays(order_id):
            return None, None
        found = await self._try(self._redis.mget(_key(order_id), _generation_key(order_id)))
        if found is None:
            return None, None
        value, generation = _bytes(found[0]), _bytes(found[1])
        if generation is None:
            generation = await self._begin(order_id)
            value = None
        if generation is None:
            return None, None
        word = generation.decode("latin-1")
        if value is None or not value.startswith(generation + b"\n"):
            self._metrics.cache_events.labels("miss").inc()
            return None, word
        try:
            remote = Remote.from_bytes(value[len(generation) + 1 :])
            is_young = 0 <= remote.age_seconds(self._clock()) <= self.ttl_seconds
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("a kept timeline cannot be read", extra={"order_id": order_id, "reason": str(error)})
            self._metrics.failures.labels("cache_decode").inc()
            self._metrics.cache_events.labels("error").inc()
            return None, word
        if not is_young:
            self._metrics.cache_events.labels("miss").inc()
            return None, word
        self._metrics.cache_events.labels("hit").inc()
        return remote, word

    async def write(self, order_id: int, remote: Remote, generation: str | None) -> None:
        """Keep it, if it is whole and was collected in a generation, for what is left of its time."""
        left_ms = int((self.ttl_seconds - remote.age_seconds(self._clock())) * 1000)
        if generation is None or not remote.is_whole or left_ms <= 0:
            return
        value = generation.encode("latin-1") + b"\n" + remote.to_bytes()
        if await self._try(self._redis.set(_key(order_id), value, px=left_ms)) is not None:
            self._metrics.cache_events.labels("write").inc()

    async def invalidate(self, order_ids: Collection[int]) -> bool:
        """What is kept of these orders counts no more; False: Redis did not take it, it is owed."""
        if not order_ids:
            return True
        self._owed.update(order_ids)
        return await self._pay(order_ids)

    async def settle(self) -> bool:
        """Try what is owed; True: nothing is."""
        while self._owed:
            if not await self._pay(list(self._owed)[:AT_ONCE]):
                return False
        return True

    async def _pays(self, order_id: int) -> bool:
        """May this order be served from the cache?"""
        if len(self._owed) > MAX_OWED:
            return False
        return order_id not in self._owed or await self._pay([order_id])

    async def _pay(self, order_ids: Collection[int]) -> bool:
        pipeline = self._redis.pipeline(transaction=False)
        for order_id in order_ids:
            pipeline.set(_generation_key(order_id), secrets.token_hex(8), ex=GENERATION_KEPT_SECONDS)
        if await self._try(pipeline.execute()) is None:
            self._owed.update(order_ids)  # another one's success may have struck them off meanwhile
            return False
        self._owed.difference_update(order_ids)
        self._metrics.cache_events.labels("invalidate").inc(len(order_ids))
        return True

    async def _begin(self, order_id: int) -> bytes | None:
        """A first generation, or the one that somebody else has just begun."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_generation_key(order_id), secrets.token_hex(8), ex=GENERATION_KEPT_SECONDS, nx=True)
        pipeline.get(_generation_key(order_id))
        answered = await self._try(pipeline.execute())
        return None if answered is None else _bytes(answered[1])

    async def _try[T](self, call: Awaitable[T]) -> T | None:
        """None where Redis is not asked, or did not answer in time."""
        if not self._breaker.lets_ask():
            if asyncio.iscoroutine(call):
                call.close()
            return None
        try:
            async with asyncio.timeout(self._seconds):
                answer = await call
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.failed()
            self._metrics.cache_events.labels("error").inc()
            self._metrics.failures.labels("cache").inc()
            logger.warning("the cache did not answer", extra={"reason": f"{type(error).__name__}: {error}"})
            return None
        self._breaker.succeeded()
        return answer


def _bytes(answer: bytes | str | None) -> bytes | None:
    """An answer as it came: this client decodes nothing."""
    return answer.encode() if isinstance(answer, str) else answer


def _key(order_id: int) -> str:
    return f"support:timeline:{order_id}"


def _generation_key(order_id: int) -> str:
    return f"support:timeline-generation:{order_id}"
