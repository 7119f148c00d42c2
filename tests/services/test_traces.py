"""One trace id goes along with a request, also where its work goes on later, elsewhere, or in a mail."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import orjson
import pytest
from fastapi import FastAPI, Response
from tests.shop.fulfillment.doubles import FakeLabels, FakeLeases, Fate
from tests.shop.notification.test_consumer import Written, event, order_paid

from lakeproof.metrics import RequestMetrics
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.worker import LabelWorker
from lakeproof_shop.services.notification.consumer import EventReader
from lakeproof_shop.services.notification.customers import Customers
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.providers import Delivery, mail_of
from lakeproof_shop.serving import gate
from lakeproof_shop.serving.traces import JsonLines


class Lines(logging.Handler):
    """What a service's log would say."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(orjson.loads(self.format(record)))


@pytest.fixture
def log() -> Iterator[Lines]:
    handler, shop = Lines(), logging.getLogger("lakeproof_shop")
    shop.addHandler(handler)
    before = shop.level
    shop.setLevel(logging.INFO)
    yield handler
    shop.setLevel(before)
    shop.removeHandler(handler)


@pytest.mark.parametrize(
    ("method", "status", "seconds", "level", "is_told"),
    [
        ("GET", 200, 0.0, logging.INFO, False),
        ("GET", 200, 0.0, logging.DEBUG, True),
        ("GET", 200, 0.05, logging.INFO, True),  # slow
        ("GET", 404, 0.0, logging.INFO, True),
        ("POST", 200, 0.0, logging.INFO, True),
    ],
)
async def test_a_read_that_went_well_is_told_only_where_it_was_slow_or_everything_is(
    monkeypatch: pytest.MonkeyPatch,
    log: Lines,
    method: str,
    status: int,
    seconds: float,
    level: int,
    is_told: bool,
) -> None:
    app = FastAPI()

    @app.api_route("/things/{number}", methods=["GET", "POST"])
    async def answer(number: int) -> Response:
        await asyncio.sleep(seconds)
        return Response(status_code=status)

    monkeypatch.setattr(gate, "SLOW_SECONDS", 0.04 if seconds else 60.0)
    logging.getLogger("lakeproof_shop").setLevel(level)
    wrapped = gate.Gate(app, metrics=RequestMetrics(), max_body_bytes=100, body_seconds=5.0, max_under_way=10)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://shop") as client:
        answered = await client.request(method, "/things/7", headers={"x-trace-id": "t-1"})
    # Threads that other tests left behind may tell something of their own meanwhile.
    told = [(line["trace_id"], line["route"], line["status"]) for line in log.lines if "route" in line]
    assert told == ([("t-1", "/things/{number}", status)] if is_told else [])
    assert answered.headers["x-trace-id"] == "t-1"


async def test_a_label_s_way_is_told_under_the_trace_of_its_request(log: Lines) -> None:
    leases, labels = FakeLeases(Fate()), FakeLabels(Fate())
    worker = LabelWorker(leases, labels, FulfillmentMetrics(), look_seconds=0.01)  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run())
    while leases.row.has_work:
        await asyncio.sleep(0.01)
    worker.stop()
    await running
    steps = [(line["trace_id"], line["status"]) for line in log.lines if "fulfillment" in line]
    assert steps == [("t-7", "label_pending"), ("t-7", "label_ready"), ("t-7", "shipped")]


@pytest.fixture
async def orders() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Where an order service answers, and the heads of what it is asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"customer_id": 5, "client_key": null}'
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_the_order_service_is_asked_for_an_event_s_customer_under_the_event_s_trace(
    orders: tuple[str, list[bytes]],
) -> None:
    url, asked = orders
    store, customers = Written(), Customers(url, 5.0)
    records = [event("status.shipped", order_id=17), order_paid(18)]
    await EventReader(store, customers, NotificationMetrics(), lambda: None).take(records)
    await customers.close()
    assert [b"x-trace-id: t\r\n" in asked[0], b"x-trace-id: order-event-18\r\n" in asked[1]] == [True, True]
    assert [one.wanted.trace_id for one in store.taken] == ["t", "order-event-18"]


@pytest.mark.parametrize(("trace", "line"), [("t-1", b"X-Trace-Id: t-1\r\n"), ("", b"")])
def test_a_mail_carries_its_trace(trace: str, line: bytes) -> None:
    mail = mail_of(Delivery(uuid.uuid4(), "a@example.org", "Subject", "Text", "order", trace))
    assert line in mail and (b"X-Trace-Id" in mail) == bool(trace)
