"""Keeps whole timelines in Redis for a short while. Without Redis, timelines are collected anew for each call.

    support:timeline:ORDER              the newest whole timeline, with the generation in which it was collected
    support:timeline-generation:ORDER   a random word; a refresh writes another one

The age of a served timeline is bounded by the time that it carries: it counts for `ttl_seconds` from the moment when
its sources began to be asked. The time is in the timeline, because a Redis that was frozen may apply a write long
after it was sent, and would then count the expiry of the key from that later moment.

The generation keeps the promise of a refresh. A timeline counts only while its generation is the current one, so a
timeline whose collection began before a refresh and ended after it is never served. If Redis has lost the generation,
the kept timeline counts as missing. If Redis did not take a refresh, this process remembers the order, and serves
nothing of it from the cache until Redis has taken it or all that was kept is too old.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.timeline import Remote
from lakeproof_shop.serving.breaker import Breaker

logger = logging.getLogger(__name__)

GENERATION_KEPT_SECONDS = 86_400
PAUSE_SECONDS = 3.0  # how long Redis is not asked after it failed


class TimelineCache:
    """The kept timelines.

    seconds: the limit of each call of Redis.
    ttl_seconds: how long a timeline counts; 0: none is kept.
    clock: gives seconds since 1970.
    """

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
        self._refused: dict[
            int, float
        ] = {}  # refreshed orders that Redis does not know of -> until when that matters

    async def read(self, order_id: int) -> tuple[Remote | None, str | None]:
        """The kept timeline or None, and the generation in which to collect a new one (None: do not keep it)."""
        if self.ttl_seconds == 0:
            return None, None
        if self._refused.get(order_id, 0.0) > self._clock() and not await self.invalidate(order_id):
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
            self._metrics.count_failure("cache_decode", "cache")
            self._metrics.cache_events.labels("error").inc()
            return None, word
        if not is_young:
            self._metrics.cache_events.labels("miss").inc()
            return None, word
        self._metrics.cache_events.labels("hit").inc()
        return remote, word

    async def write(self, order_id: int, remote: Remote, generation: str | None) -> None:
        """Keep the timeline for the rest of its time, if it is whole and was collected in a generation."""
        left_ms = int((self.ttl_seconds - remote.age_seconds(self._clock())) * 1000)
        if generation is None or not remote.is_whole or left_ms <= 0:
            return
        value = generation.encode("latin-1") + b"\n" + remote.to_bytes()
        if await self._try(self._redis.set(_key(order_id), value, px=left_ms)) is not None:
            self._metrics.cache_events.labels("write").inc()

    async def invalidate(self, order_id: int) -> bool:
        """Begin a new generation, so that the order's kept timeline does not count any more. False: Redis did not
        take it; `read` tries again before it serves this order from the cache.
        """
        began, word = self._clock(), secrets.token_hex(8)
        if await self._try(self._redis.set(_generation_key(order_id), word, ex=GENERATION_KEPT_SECONDS)) is None:
            now = self._clock()
            self._refused = {order: until for order, until in self._refused.items() if until > now}
            self._refused[order_id] = now + self.ttl_seconds
            return False
        if self._refused.get(order_id, 0.0) < began + self.ttl_seconds:  # else another refresh failed meanwhile
            self._refused.pop(order_id, None)
        self._metrics.cache_events.labels("invalidate").inc()
        return True

    async def _begin(self, order_id: int) -> bytes | None:
        """A first generation, or the one that somebody else has just begun."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(_generation_key(order_id), secrets.token_hex(8), ex=GENERATION_KEPT_SECONDS, nx=True)
        pipeline.get(_generation_key(order_id))
        answered = await self._try(pipeline.execute())
        return None if answered is None else _bytes(answered[1])

    async def _try[T](self, call: Awaitable[T]) -> T | None:
        """The answer to a call of Redis; None where Redis failed, did not answer in time, or is not asked now."""
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
            self._metrics.count_failure("cache", "cache")
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
