"""Calls of the other services: an answer, a refusal, or no clear word. Every POST has a key and may be repeated."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from lakeproof.deadline import Deadline
from lakeproof.stack.stack import Stack
from lakeproof_shop.serving.http_caller import HttpCaller
from lakeproof_shop.serving.limited_answer import AnswerTooLong, read_at_most
from lakeproof_shop.serving.traces import trace_id

CONNECT_SECONDS = 1.0
MOST_CONNECTIONS = 200
SERVICES = ("inventory-service", "payment-service", "fulfillment-service", "notification-service")
# 4xx that say nothing about what was asked: too slow a body, too early, too many.
_LATER = frozenset({408, 425, 429})


class NoClearWord(Exception):
    """The call may or may not have acted: repeat it with the same key to find out. status: of the answer, if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class ServiceRefused(Exception):
    """The service did not do what was asked, and a repeat would not help. `code` as the service gives it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Services(HttpCaller):
    """One HTTP session for all services. `call_seconds`: the time after which a call is given up as unclear."""

    def __init__(self, urls: Mapping[str, str], *, call_seconds: float) -> None:
        self._urls, self._call_seconds = urls, call_seconds
        super().__init__(call_seconds=call_seconds, connect_seconds=CONNECT_SECONDS, most=MOST_CONNECTIONS)

    def until(self, deadline: Deadline) -> "Calls":
        """Calls that end by `deadline` at the latest."""
        return Calls(self._session, self._urls, self._call_seconds, deadline)


class Calls:
    """Calls of the services for one step: each has the time of a call, or what is left of the step's."""

    def __init__(
        self, session: aiohttp.ClientSession, urls: Mapping[str, str], call_seconds: float, deadline: Deadline
    ) -> None:
        self._session, self._urls, self._call_seconds, self._deadline = session, urls, call_seconds, deadline

    async def post(self, service: str, path: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON of a success. Raises: ServiceRefused, NoClearWord."""
        headers = {"idempotency-key": key, "content-type": "application/json"}
        return await self._ask("POST", service, path, headers, orjson.dumps(body) if body is not None else None)

    async def get(self, service: str, path: str) -> dict[str, Any]:
        """The JSON that the service shows at that path now. Raises: ServiceRefused, NoClearWord."""
        return await self._ask("GET", service, path, {}, None)

    async def _ask(
        self, method: str, service: str, path: str, headers: dict[str, str], data: bytes | None
    ) -> dict[str, Any]:
        seconds = min(self._call_seconds, self._deadline.left)
        if seconds <= 0:  # aiohttp takes a limit of 0 for no limit
            raise NoClearWord(f"{service}: not asked, the step's time is over")
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        headers = headers | {"x-trace-id": trace_id.get()}
        try:
            async with self._session.request(
                method, self._urls[service] + path, data=data, headers=headers, timeout=limit
            ) as answer:
                text = await read_at_most(answer.content.iter_any())
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoClearWord(f"{service}: {type(error).__name__}") from error
        except AnswerTooLong as error:
            raise NoClearWord(f"{service}: {error}") from error
        return _read(service, status, text)


def _read(service: str, status: int, text: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise NoClearWord(f"{service}: {status} without JSON", status)
    if status < 300:
        return told
    given = told.get("error")
    error = given if isinstance(given, dict) else {}
    words = f"{service}: {error.get('message', status)}"
    if status >= 500 or status in _LATER:
        raise NoClearWord(words, status)
    raise ServiceRefused(str(error.get("code", status))[:40], words[:300])


def urls_of(stack: Stack) -> dict[str, str]:
    """Where the services of this stack answer."""
    return {name: stack.url(name) for name in SERVICES}
