"""Limits the messages to a customer by one channel within a window. Redis counts; without Redis all messages pass.

A sliding window: a sorted set of the messages that were let through, each scored with its time by Redis' own clock. A
message that asks again (a retry) is counted once.
"""

import asyncio
import logging
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple

from redis.exceptions import RedisError

from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.serving import redis_connection
from lakeproof_shop.serving.breaker import Breaker

logger = logging.getLogger(__name__)

BREAK_SECONDS = 1.0
TOGETHER = 64
CLOSE_SECONDS = 2.0
LONGEST_SECONDS = 0.75  # the longest that a message waits for its verdict, even if the thread hangs
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
    """Whether a message may be sent. `retry_seconds`: the time until it may, where it may not now."""

    allowed: bool
    retry_seconds: float = 0.0


class _Question(NamedTuple):
    """One message that waits for its answer: a verdict, or the label of the error for which it passes unlimited."""

    key: str
    message: str
    answer: "asyncio.Future[Verdict | str]"


class Limiter:
    """`limit` messages per customer and channel within `window_seconds`. `seconds`: how long one try may take.

    Redis is asked in a thread: a busy event loop that reads an answer late must not be taken for a slow Redis.
    Questions that come in the meantime are sent together. A question that fails is asked once more, because each
    error raises an alert: a machine that stood still for a moment fails one try, not two.
    """

    def __init__(
        self, url: str, metrics: NotificationMetrics, *, limit: int, window_seconds: float, seconds: float
    ) -> None:
        self._redis = redis_connection.connect_blocking(url, seconds)
        self._metrics, self._limit, self._window_us = metrics, limit, round(window_seconds * 1_000_000)
        self._breaker = Breaker(BREAK_SECONDS)
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="limiter", daemon=True)
        self._thread.start()

    async def ask(self, customer_id: int, channel: str, notification_id: uuid.UUID) -> Verdict:
        """Let the message through, or not. Raises no error: where Redis fails, the message passes and is counted."""
        answer: asyncio.Future[Verdict | str] = self._loop.create_future()
        self._questions.put(_Question(f"notification:limit:{channel}:{customer_id}", str(notification_id), answer))
        # Two waits: after the process stood still, the first ends at once, and the thread can answer in the second.
        for _ in range(2):
            await asyncio.wait((answer,), timeout=LONGEST_SECONDS / 2)
        verdict = answer.result() if answer.done() else "check"
        if isinstance(verdict, str):
            self._metrics.rate_limit_errors.labels(verdict).inc()
            return Verdict(True)
        if not verdict.allowed:
            self._metrics.rate_limited.inc()
        return verdict

    async def close(self) -> None:
        """Answer the questions that were asked, then end the thread."""
        self._questions.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
        self._redis.close()

    def _run(self) -> None:
        while True:
            taken = [self._questions.get()]
            while len(taken) < TOGETHER and not self._questions.empty():
                taken.append(self._questions.get())
            batch = [one for one in taken if one is not None]
            if batch:
                self._loop.call_soon_threadsafe(_give, batch, self._judge(batch))
            if len(batch) < len(taken):
                return

    def _judge(self, batch: Sequence[_Question]) -> Sequence[Verdict | str]:
        if not self._breaker.lets_ask():
            return ["skipped"] * len(batch)
        try:
            try:
                waits_us = self._waits_us(batch)
            except (RedisError, OSError):
                waits_us = self._waits_us(batch)
        except Exception as error:  # noqa: BLE001 - messages pass whatever goes wrong; an ended thread would hold them
            if not self._breaker.is_open:
                logger.warning("messages pass unlimited", extra={"reason": f"{type(error).__name__}: {error}"})
            self._breaker.failed()
            return ["check"] * len(batch)
        self._breaker.succeeded()
        return [Verdict(wait == 0, wait / 1_000_000) for wait in waits_us]

    def _waits_us(self, batch: Sequence[_Question]) -> Sequence[int]:
        pipe = self._redis.pipeline(transaction=False)
        for one in batch:
            pipe.eval(SCRIPT, 1, one.key, self._limit, self._window_us, one.message)
        return [int(wait) for wait in pipe.execute()]


def _give(batch: Sequence[_Question], answers: Sequence[Verdict | str]) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if not one.answer.done():  # its caller may have hung up
            one.answer.set_result(answer)
