"""Asks the order, payment and fulfillment services what happened to an order: all at once, each with a time limit."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.timeline import (
    Entry,
    Remote,
    Source,
    SourceState,
    fulfillment_entries,
    order_entries,
    payment_entries,
)
from lakeproof_shop.serving.http_caller import HttpCaller
from lakeproof_shop.serving.limited_answer import AnswerTooLong, read_at_most
from lakeproof_shop.serving.times import iso
from lakeproof_shop.serving.traces import trace_id

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 0.8

_OK = Source(SourceState.OK)


@dataclass(frozen=True)
class Service:
    """One source: the path at which it is asked about an order, and the function that reads its answer."""

    name: str
    path: str
    read: Callable[[Mapping[str, Any]], list[Entry]]

    @property
    def component(self) -> str:
        """The service's component name in the stack."""
        return f"{self.name}-service"

    @property
    def variable(self) -> str:
        """The environment variable that names another URL; where it is set and empty, the source is off."""
        return f"SERVICE_{self.name.upper()}_SERVICE_URL"


SERVICES = (
    Service("order", "/orders/{order_id}", order_entries),
    Service("payment", "/payments?order_id={order_id}", payment_entries),
    Service("fulfillment", "/fulfillments?order_id={order_id}", fulfillment_entries),
)


def urls_of(stack: Stack) -> dict[str, str]:
    """Source → URL, "" where it is off: from the source's variable, else from the settings, else the stack's own."""
    settings = stack.settings.support
    given = {
        "order": settings.order_service_url,
        "payment": settings.payment_service_url,
        "fulfillment": settings.fulfillment_service_url,
    }
    found = {}
    for service in SERVICES:
        url = os.environ.get(service.variable, given[service.name])
        if url is None:
            try:
                url = stack.url(service.component)
            except InvalidInput:  # a stack without that service
                url = ""
        found[service.name] = url.strip().rstrip("/")
    return found


class _Failed(Exception):
    """A source gave no usable answer. stage: "http" (no answer, or a wrong status) or "aggregate" (a wrong shape)."""

    def __init__(self, stage: str, why: str) -> None:
        self.stage = stage
        super().__init__(why)


class Sources(HttpCaller):
    """Asks the sources. urls: source → URL, "" where it is off. seconds: the limit on each source's answer."""

    def __init__(self, urls: Mapping[str, str], seconds: float, metrics: SupportMetrics) -> None:
        self._urls, self._seconds, self._metrics = dict(urls), seconds, metrics
        super().__init__(call_seconds=seconds, connect_seconds=seconds)

    @property
    def on(self) -> tuple[str, ...]:
        """The names of the sources that are not off."""
        return tuple(service.name for service in SERVICES if self._urls[service.name])

    async def collect(self, order_id: int) -> Remote:
        """The sources' entries. A source without an answer is marked as missing, with the reason. It ends in time."""
        began = iso(datetime.now(UTC))
        told = await asyncio.gather(*(self._ask(service, order_id) for service in SERVICES))
        entries = tuple(entry for found, _ in told for entry in found)
        sources = {service.name: state for service, (_, state) in zip(SERVICES, told, strict=True)}
        return Remote(entries, sources, began)

    async def ask_health(self, name: str) -> str:
        """What is wrong with a source, for /health; "" where nothing is."""
        timeout = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        try:
            async with self._session.get(f"{self._urls[name]}/health", timeout=timeout) as answer:
                return "" if answer.status == 200 else f"its /health says {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"no answer ({type(error).__name__})"

    async def _ask(self, service: Service, order_id: int) -> tuple[list[Entry], Source]:
        if not self._urls[service.name]:
            return [], Source(SourceState.OFF, "switched off")
        try:
            with self._metrics.source_seconds.labels(service.name).time():
                entries = await self._entries(service, order_id)
            return entries, _OK
        except _Failed as error:
            self._metrics.count_failure(error.stage, service.name)
            logger.warning("a source is missing", extra={"source": service.name, "reason": str(error)})
            return [], Source(SourceState.MISSING, str(error))

    async def _entries(self, service: Service, order_id: int) -> list[Entry]:
        """Raises: _Failed."""
        url = self._urls[service.name] + service.path.format(order_id=order_id)
        status, body = await self._get(url)
        if status in (404, 410):  # the order is unknown to the service, or was deleted
            return []
        if status != 200:
            raise _Failed("http", f"answered {status}")
        try:
            entries = service.read(orjson.loads(body))
            if not all(type(entry.at) is str and type(entry.ref) is int for entry in entries):
                raise TypeError("at or id of another type")
            return entries
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _Failed("aggregate", f"its answer is not understood ({type(error).__name__})") from error

    async def _get(self, url: str) -> tuple[int, bytes]:
        """Raises: _Failed."""
        try:
            async with self._session.get(url, headers={"X-Trace-Id": trace_id.get() or "support"}) as answer:
                return answer.status, await read_at_most(answer.content.iter_any())
        except AnswerTooLong as error:
            raise _Failed("http", str(error)) from error
        except TimeoutError as error:
            raise _Failed("http", f"no answer within {self._seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Failed("http", f"no answer ({type(error).__name__})") from error
