"""The gate that every request of a service passes: trace id, limits, metrics, a log line, an answer to any error.

It is pure ASGI, so it costs microseconds, and it sees the body's bytes as they arrive: a large body is never held.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from lakeproof.metrics import RequestMetrics
from lakeproof_shop.serving.crash import RequestCrash
from lakeproof_shop.serving.refusal import Refusal
from lakeproof_shop.serving.traces import accept_trace_id, trace_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

SLOW_SECONDS = 1.0
CHARACTER_BYTES = 12  # the most bytes of one character in JSON: beyond U+FFFF it may be written as two \u escapes
_ALWAYS_ANSWERED = frozenset({"/health", "/metrics"})


@dataclass(frozen=True)
class RouteLimit:
    """Other limits on the body of one route; `path` is compared with the whole path.

    seconds: for the whole body. Each piece of it may then take as long as a whole body on other routes. None: the
    usual limit.
    """

    method: str
    path: re.Pattern[str]
    max_body_bytes: int
    seconds: float | None = None


class Gate:
    """Wraps an ASGI app.

    body_seconds: a body that has not arrived whole by then is refused (408).
    max_under_way: more requests than that at once are refused (503) before any work, because in a longer queue every
        caller would wait for an answer that comes too late. Health and metrics are always answered.
    crash: for tests.
    """

    def __init__(
        self,
        app: App,
        *,
        metrics: RequestMetrics,
        max_body_bytes: int,
        body_seconds: float,
        max_under_way: int,
        route_limits: tuple[RouteLimit, ...] = (),
        crash: RequestCrash | None = None,
    ) -> None:
        self._app, self._metrics, self._crash = app, metrics, crash
        self._max_under_way, self._under_way = max_under_way, 0
        self._max_body_bytes, self._body_seconds = max_body_bytes, body_seconds
        self._route_limits = route_limits

    def _limit(self, receive: Receive, scope: MutableMapping[str, Any]) -> "_BodyLimit":
        max_bytes, whole = self._max_body_bytes, self._body_seconds
        for limit in self._route_limits:
            if limit.method == scope["method"] and limit.path.fullmatch(scope["path"]):
                max_bytes, whole = limit.max_body_bytes, limit.seconds or whole
        return _BodyLimit(receive, scope["headers"], max_bytes, whole, self._body_seconds)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = next((value for name, value in scope["headers"] if name == b"x-trace-id"), b"")
        trace = accept_trace_id(given.decode("latin-1"))
        token = trace_id.set(trace)
        status = 0
        limit = self._limit(receive, scope)

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                if limit.refusal is not None and status == 0:
                    # The framework turns an error of `receive` into an answer of its own, which is replaced here.
                    status = limit.refusal.status
                    await limit.refusal.to_response()(scope, receive, send_refused)
                    return
                status = message["status"]
                if self._crash is not None:
                    self._crash.reached("after", scope)
                message["headers"] = [*message.get("headers", ()), (b"x-trace-id", trace.encode())]
            if limit.refusal is None:
                await send(message)

        async def send_refused(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-trace-id", trace.encode())]
            await send(message)

        self._metrics.under_way.inc()
        self._under_way += 1
        try:
            if self._under_way > self._max_under_way and scope["path"] not in _ALWAYS_ANSWERED:
                text = f"{self._max_under_way} requests are under way"
                full = Refusal(503, "busy", text, headers={"retry-after": "1"})
                await full.to_response()(scope, receive, send_traced)
            else:
                if self._crash is not None:
                    self._crash.reached("before", scope)
                await self._app(scope, limit.receive, send_traced)
        except Exception:
            # An unforeseen error may have come after a change. So the outcome is "unclear", not "not_done".
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            if status == 0:
                lost = Refusal(500, "internal_error", "an error of the service", outcome="unclear")
                await lost.to_response()(scope, receive, send_traced)
        finally:
            self._metrics.under_way.dec()
            self._under_way -= 1
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.observe(scope["method"], route, status, seconds)
            level = _level_of(scope["method"], status, seconds)
            if logger.isEnabledFor(level):
                told = {"method": scope["method"], "route": route, "status": status, "seconds": round(seconds, 6)}
                logger.log(level, "request", extra=told)
            trace_id.reset(token)


def _level_of(method: str, status: int, seconds: float) -> int:
    """The level of the log line. Successful reads are logged at DEBUG: they are most of the traffic, and tell no more
    than the metrics. Changes, refusals and slow requests are always logged.
    """
    if status >= 500:
        return logging.WARNING
    return logging.INFO if status >= 400 or method != "GET" or seconds >= SLOW_SECONDS else logging.DEBUG


class _BodyLimit:
    """Counts the bytes of a body as they arrive. `refusal`: why the body was refused, once it is."""

    def __init__(
        self,
        receive: Receive,
        headers: list[tuple[bytes, bytes]],
        max_bytes: int,
        whole_seconds: float,
        piece_seconds: float,
    ) -> None:
        self._receive, self._max_bytes = receive, max_bytes
        self._whole_seconds, self._piece_seconds = whole_seconds, piece_seconds
        self._until: float | None = None  # the time limit of the whole body; set when its first piece is asked for
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        self._seen = int(declared) if declared.isdigit() and int(declared) > max_bytes else 0
        self._ended = False
        self.refusal: Refusal | None = None

    async def receive(self) -> Message:
        """The next message. Raises: Refusal."""
        if self._ended:  # the app now waits for the caller to hang up, which has no limit
            return await self._receive()
        message: Message = {}
        if self._seen <= self._max_bytes:
            now = asyncio.get_running_loop().time()
            if self._until is None:
                self._until = now + self._whole_seconds
            try:
                async with asyncio.timeout_at(min(self._until, now + self._piece_seconds)):
                    message = await self._receive()
            except TimeoutError:
                text = f"no whole body within {self._whole_seconds:g} s, or none of it for {self._piece_seconds:g} s"
                self.refusal = Refusal(408, "body_timeout", text, headers={"connection": "close"})
                raise self.refusal from None
            self._seen += len(message.get("body", b""))
        if self._seen > self._max_bytes:
            text = f"a body may have at most {self._max_bytes} bytes"
            self.refusal = Refusal(413, "body_too_large", text, headers={"connection": "close"})
            raise self.refusal
        self._ended = not message.get("more_body", False)
        return message
