"""Work beside the requests that ended by itself: each service says so and is unhealthy, and its log says why."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from cassandra.cluster import Cluster
from fastapi import FastAPI

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import FulfillmentSettings, InventorySettings, NotificationSettings, ShopSettings
from lakeproof_shop.services.fulfillment import app as fulfillment
from lakeproof_shop.services.inventory import app as inventory
from lakeproof_shop.services.inventory.relay import StockRelay
from lakeproof_shop.services.inventory.sweeper import Sweeper
from lakeproof_shop.services.notification import app as notification
from lakeproof_shop.services.payment import app as payment
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.database.cassandra_cluster import RingAndKafka
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.outbox import OutboxRelay

NOBODY = "127.0.0.1:9"
SHOP = ShopSettings(request_seconds=2.0)


class EmptyRing:
    """A ring that answers, and has nothing."""

    problem = ""

    def __init__(self, *_: object) -> None:
        self.start = lambda: None

    async def read(self, *_: object) -> Sequence[tuple[Any, ...]]:
        return []

    async def close(self) -> None:
        return None


class NoStore:
    """An object store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        raise OSError("unreachable")


async def no_database() -> Connection:
    raise DatabaseDown("cannot connect (08001)")


def no_cluster() -> Cluster:
    raise AssertionError("nobody opens it")


def a_payment_service() -> FastAPI:
    return payment.create_app(SHOP, payment.Surroundings(no_database, no_database, NOBODY))


def a_fulfillment_service() -> FastAPI:
    around = fulfillment.Surroundings(no_database, no_database, NoStore(), NOBODY)
    return fulfillment.create_app(SHOP, FulfillmentSettings(), around)


def an_inventory_service() -> FastAPI:
    return inventory.create_app(SHOP, InventorySettings(), RingAndKafka(no_cluster, NOBODY))


def a_notification_service() -> FastAPI:
    around = notification.Surroundings(
        *(no_database, no_database, "redis://127.0.0.1:9", ("127.0.0.1", 9), f"http://{NOBODY}", NOBODY),
        f"http://{NOBODY}",
        reads=(),
    )
    return notification.create_app(SHOP, NotificationSettings(), around)


@pytest.mark.parametrize(
    ("make", "kind", "work", "part"),
    [
        (an_inventory_service, Sweeper, "sweep", "sweeper"),
        (an_inventory_service, StockRelay, "_send", "relay"),
        (a_payment_service, OutboxRelay, "_send_batch", "outbox relay"),
        (a_fulfillment_service, OutboxRelay, "_send_batch", "outbox relay"),
        (a_notification_service, OutboxRelay, "_send_batch", "outbox relay"),
    ],
)
async def test_a_service_whose_work_ended_is_unhealthy_and_names_it(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], FastAPI],
    kind: type[object],
    work: str,
    part: str,
) -> None:
    async def fine(*_: object) -> str:
        return ""

    may_end = asyncio.Event()

    async def end(*_: object) -> int:
        await may_end.wait()
        raise RuntimeError("nobody foresaw this")

    for module in (payment, fulfillment, notification):
        monkeypatch.setattr(module, "ask", fine)
    monkeypatch.setattr(inventory, "Ring", EmptyRing)
    monkeypatch.setattr(kind, work, end)
    app = make()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):

        async def unhealthy() -> httpx.Response | None:
            answer = await client.get("/health")
            return answer if answer.status_code == 503 else None

        before = await client.get("/health")
        may_end.set()
        after = await Deadline(5.0).wait_for_async("the health question to say it", unhealthy, every=0.01)
    assert before.status_code == 200, before.text
    problems = [one["problem"] for one in after.json()["dependencies"].values()]
    assert any(problem.startswith("ended: ") and part in problem for problem in problems), problems
    assert any("nobody foresaw this" in (record.exc_text or str(record.exc_info)) for record in caplog.records)


async def test_an_end_that_was_asked_for_is_waited_for_and_what_does_not_end_is_cut_off() -> None:
    asked, done = asyncio.Event(), []

    async def obliging() -> None:
        await asked.wait()
        done.append("in order")

    works = Background({"obliging": obliging(), "stubborn": asyncio.sleep(3600)})
    assert works.ended == ""
    asked.set()
    await works.stop(0.05)
    assert (done, works.ended) == (["in order"], "ended: obliging, stubborn")
