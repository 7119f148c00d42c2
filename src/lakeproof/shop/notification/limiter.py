"""How many messages a customer gets by one channel within a window; Redis counts, and without Redis all pass.

A sliding window: a sorted set of the messages let through, each scored with its time by Redis' own clock. A message
that asks again (a retry) is counted once.
"""

import asyncio
import logging
import uuid
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from lakeproof.shop.breaker import Breaker
from lakeproof.shop.notification.metrics import NotificationMetrics

logger = logging.getLogger(__name__)

BREAK_SECONDS = 1.0
# KEYS: the set. ARGV: limit, window in microseconds, the message. Gives 0, or the microseconds until there is room.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZSCORE', KEYS[1], ARGV[3]) then return 0 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    return math.max(1, oldest[2] + ARGV[2] - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000))
return 0
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """May it be sent? `retry_seconds`: when not, how long until it may."""

    allowed: bool
    retry_seconds: float = 0.0


class Limiter:
    """`limit` messages per customer and channel within `window_seconds`. `seconds`: how long Redis may take."""

    def __init__(
        self, redis: Redis, metrics: NotificationMetrics, *, limit: int, window_seconds: float, seconds: float
    ) -> None:
        self._script = redis.register_script(SCRIPT)
        self._metrics, self._seconds = metrics, seconds
        self._limit, self._window_us = limit, round(window_seconds * 1_000_000)
        self._breaker = Breaker(BREAK_SECONDS)

    async def ask(self, customer_id: int, channel: str, notification_id: uuid.UUID) -> Verdict:
        """Let the message through, or not. Never an error: where Redis fails it passes, and that is counted."""
        if not self._breaker.lets_ask():
            self._metrics.rate_limit_errors.labels("skipped").inc()
            return Verdict(True)
        key = f"notification:limit:{channel}:{customer_id}"
        try:
            async with asyncio.timeout(self._seconds):
                wait_us = int(await self._script([key], [self._limit, self._window_us, str(notification_id)]))
        except (RedisError, OSError, TimeoutError) as error:
            if not self._breaker.is_open:
                logger.warning("messages pass unlimited", extra={"reason": type(error).__name__})
            self._breaker.failed()
            self._metrics.rate_limit_errors.labels("check").inc()
            return Verdict(True)
        self._breaker.succeeded()
        if wait_us == 0:
            return Verdict(True)
        self._metrics.rate_limited.inc()
        return Verdict(False, wait_us / 1_000_000)
