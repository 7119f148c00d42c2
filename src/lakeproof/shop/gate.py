"""What every request of a service passes through: trace id, limit on its body, metrics, one log line, a last resort.

Pure ASGI: it costs microseconds, and it sees the body's bytes as they arrive, so a large one is never held.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lakeproof.shop.metrics import RequestMetrics
from lakeproof.shop.refusal import Refusal
from lakeproof.shop.traces import accept_trace_id, trace_id

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)


class Gate:
    """Wraps an ASGI app. `body_seconds`: a body that has not arrived whole by then is given up (408)."""

    def __init__(self, app: App, *, metrics: RequestMetrics, max_body_bytes: int, body_seconds: float) -> None:
        self._app, self._metrics = app, metrics
        self._max_body_bytes, self._body_seconds = max_body_bytes, body_seconds

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

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-trace-id", trace.encode())]
            await send(message)

        self._metrics.under_way.inc()
        try:
            await self._app(scope, self._limited(scope, receive), send_traced)
        except Refusal as refusal:  # from the limits below, before the app had answered
            if status == 0:
                await refusal.to_response()(scope, receive, send_traced)
        except Exception:
            # What we did not foresee may have happened after a change: so it is unclear, not "not done".
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            if status == 0:
                lost = Refusal(500, "internal_error", "an error of the service", outcome="unclear")
                await lost.to_response()(scope, receive, send_traced)
        finally:
            self._metrics.under_way.dec()
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.observe(scope["method"], route, status, seconds)
            if status >= 400 or scope["method"] != "GET":
                logger.log(
                    logging.WARNING if status >= 500 else logging.INFO,
                    "request",
                    extra={"method": scope["method"], "route": route, "status": status, "seconds": round(seconds, 6)},
                )
            trace_id.reset(token)

    def _limited(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        seen = 0
        ended = False

        async def receive_limited() -> Message:
            nonlocal seen, ended
            if ended:  # the app waits for the caller to hang up: no limit on that
                return await receive()
            if declared.isdigit() and int(declared) > self._max_body_bytes:
                raise self._too_large()
            try:
                async with asyncio.timeout(self._body_seconds):
                    message = await receive()
            except TimeoutError as error:
                raise Refusal(408, "body_timeout", f"no whole body within {self._body_seconds:g} s") from error
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise self._too_large()
            ended = not message.get("more_body", False)
            return message

        return receive_limited

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "body_too_large",
            f"a body may have at most {self._max_body_bytes} bytes",
            headers={"connection": "close"},
        )
