"""The mail sink as a process: `python -m lakeproof_shop.services.mail_sink.app`; SMTP and HTTP in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from aiosmtpd.smtp import SMTP
from fastapi import FastAPI
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.metrics import RequestMetrics
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.mail_sink.account import Account
from lakeproof_shop.services.mail_sink.api import WEBHOOK_LIMIT, router
from lakeproof_shop.services.mail_sink.log import MessageLog
from lakeproof_shop.services.mail_sink.smtp import make_smtp
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.mail_greeting import greeting_problem
from lakeproof_shop.serving.service import create_service, serve

NAME = "mail-sink"


@dataclass(frozen=True)
class Place:
    """Where the sink listens for mail, and the folder in which it keeps messages."""

    host: str
    smtp_port: int
    folder: Path


def place_of(stack: Stack) -> Place:
    """The place of a stack's sink."""
    return Place(stack.settings.host, stack.port(NAME, "smtp"), stack.data_dir(NAME))


def create_app(settings: ShopSettings, place: Place) -> FastAPI:
    """Make the sink: SMTP is served for as long as HTTP is. Raises at its start: OSError where the port is taken."""
    metrics = RequestMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        messages = MessageLog(place.folder)
        messages.open()
        metrics.registry.register(_SinkCollector(messages))
        app.state.messages, app.state.account = messages, Account(place.folder)
        connections: WeakSet[SMTP] = WeakSet()

        def take_connection() -> SMTP:
            made = make_smtp(messages, app.state.account, place.host)
            connections.add(made)
            return made

        server = await asyncio.get_running_loop().create_server(take_connection, place.host, place.smtp_port)
        try:
            yield {"disk": messages.disk_problem, "smtp": lambda: greeting_problem(place.host, place.smtp_port)}
        finally:
            server.close()
            for connection in connections:  # closing a server does not close its open connections
                if connection.transport is not None:
                    connection.transport.close()
            await messages.close()

    return create_service("mail sink", settings, metrics, router, opened, route_limits=(WEBHOOK_LIMIT,))


class _SinkCollector(Collector):
    def __init__(self, messages: MessageLog) -> None:
        self._messages = messages

    def collect(self) -> Iterable[Metric]:
        """What was taken since the start, and how much is kept."""
        counts = self._messages.counts
        accepted = CounterMetricFamily("mail_sink_accepted", "Messages taken and kept.", labels=["channel"])
        repeats = CounterMetricFamily("mail_sink_repeats", "Messages that had come before.", labels=["channel"])
        for family, by_channel in ((accepted, counts.accepted), (repeats, counts.repeats)):
            for channel, value in by_channel.items():
                family.add_metric([channel], value)
            yield family
        yield CounterMetricFamily("mail_sink_forgotten", "Messages let go for want of room.", counts.forgotten)
        yield GaugeMetricFamily("mail_sink_messages", "Messages kept.", self._messages.count()[0])
        yield GaugeMetricFamily("mail_sink_bytes", "Bytes of the messages' file on the disk.", self._messages.bytes)


if __name__ == "__main__":
    serve(NAME, lambda stack: create_app(stack.settings.shop, place_of(stack)))
