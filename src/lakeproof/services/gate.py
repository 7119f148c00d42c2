"""What every request of a service passes through: trace id, limit on its body, metrics, one log line, a last resort.

Pure ASGI: it costs microseconds, and it sees the body's bytes as they arrive, so a large one is never held.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from lakeproof.services.crash import RequestCrash
from lakeproof.services.metrics import RequestMetrics
from lakeproof.services.refusal import Refusal
from lakeproof.services.traces import accept_trace_id, trace_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

SLOW_SECONDS = 1.0
CHARACTER_BYTES = 12  # of one character in JSON, at most: beyond U+FFFF it may be written as two \u escapes
_ALWAYS_ANSWERED = frozenset({"/health", "/metrics"})


@dataclass(frozen=True)
class RouteLimit:
    """Other limits on the body of one route; `path` is compared with the whole path.

    `seconds`: for the whole body; each piece then has the time of other routes' whole bodies. None: as those.
    """

    method: str
    path: re.Pattern[str]
    max_body_bytes: int
    seconds: float | None = None


class Gate:
    """Wraps an ASGI app. `body_seconds`: a body that has not arrived whole by then is given up (408).

    `max_under_way`: more requests than that at once are refused (503) before any work: in a longer queue every
    caller would wait for an answer that comes too late. Health and metrics are always answered. `crash`: for tests.
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
        """One request."""
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
                    # A framework turns what `receive` raises into an answer of its own.
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
            # What we did not foresee may have happened after a change: so it is unclear, not "not done".
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
    """Reads that went well are most of the traffic and tell nothing that the metrics do not: only LOG_LEVEL=DEBUG
    writes them. Changes, refusals and whatever was slow are written always.
    """
    if status >= 500:
        return logging.WARNING
    return logging.INFO if status >= 400 or method != "GET" or seconds >= SLOW_SECONDS else logging.DEBUG


class _BodyLimit:
    """Counts a body as it arrives. `refusal`: why it was not taken, once that is so."""

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
        self._until: float | None = None  # of the whole body, from the first piece that was asked for
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        self._seen = int(declared) if declared.isdigit() and int(declared) > max_bytes else 0
        self._ended = False
        self.refusal: Refusal | None = None

    async def receive(self) -> Message:
        """The next message. Raises: Refusal."""
        if self._ended:  # the app waits for the caller to hang up: no limit on that
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
