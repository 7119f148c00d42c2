"""The support service with nothing to stand on: it says so, refuses in the common shape, and hangs nowhere."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cassandra.cluster import Cluster, NoHostAvailable

from lakeproof.stack.settings import Settings, ShopSettings, SupportSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.support.app import Surroundings, create_app
from lakeproof_shop.services.support.caretaker import Caretaker
from lakeproof_shop.services.support.sources import SERVICES, urls_of
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.postgres import Connection

KEY = {"Idempotency-Key": "test-1"}
OFF = {"order": "", "payment": "", "fulfillment": ""}


async def no_database() -> Connection:
    raise DatabaseDown("cannot connect (08001)")


def no_ring() -> Cluster:
    raise NoHostAvailable("nobody there", {})


@asynccontextmanager
async def serving(folder: Path, ring: Callable[[], Cluster] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    around = Surroundings(no_database, no_database, "redis://127.0.0.1:1", OFF, None, "127.0.0.1:1", folder, ring)
    app = create_app(ShopSettings(request_seconds=2.0), SupportSettings(), around)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


async def test_health_names_each_dependency_that_is_down(tmp_path: Path) -> None:
    async with serving(tmp_path) as shop:
        answer = await shop.get("/health")
    found = {name: one["status"] for name, one in answer.json()["dependencies"].items()}
    assert answer.status_code == 503
    assert (found["postgres"], found["redis"], found["tasks"]) == ("unhealthy", "unhealthy", "healthy")


async def test_a_service_whose_caretaker_ended_is_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(_: Caretaker) -> None:
        return

    monkeypatch.setattr(Caretaker, "run", ends)
    async with serving(tmp_path) as shop:
        answer = await shop.get("/health")
    found = answer.json()["dependencies"]
    assert (answer.status_code, found["tasks"]["problem"]) == (503, "ended: caretaker")


async def test_without_its_database_nothing_is_done_and_that_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as shop:
        answer = await shop.post("/support/cases", json={"customer_id": 3, "subject": "x"}, headers=KEY)
        upload = await shop.post("/support/cases/1/attachments", files={"file": ("a.txt", b"x")}, headers=KEY)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
    assert (upload.status_code, upload.json()["outcome"], list(tmp_path.rglob("*"))) == (503, "not_done", [])


@pytest.mark.parametrize("path", ["", "/1/messages", "/1/close", "/1/attachments"])
async def test_a_change_without_a_key_is_refused(tmp_path: Path, path: str) -> None:
    body = {"customer_id": 3, "subject": "x"} if path == "" else {"body": "x"}
    async with serving(tmp_path) as shop:
        answer = await shop.post(f"/support/cases{path}", json=body)
    assert answer.status_code == 428


async def test_openapi_tells_of_every_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as shop:
        paths = (await shop.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/support/cases",
        "/support/cases/{case_id}",
        "/support/cases/{case_id}/messages",
        "/support/cases/{case_id}/close",
        "/support/cases/{case_id}/timeline/refresh",
        "/support/cases/{case_id}/attachments",
        "/support/cases/{case_id}/attachments/{attachment_id}",
        "/support/customers/{customer_id}/orders",
        "/health",
        "/metrics",
    }
    assert {"201", "404", "409", "413", "415", "422", "428", "503", "507"} <= set(
        paths["/support/cases/{case_id}/attachments"]["post"]["responses"]
    )


def test_a_source_s_variable_goes_above_the_settings_and_empty_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES:
        monkeypatch.delenv(service.variable, raising=False)
    stack = Stack(Settings(port_shift=100, support=SupportSettings(payment_service_url="http://10.0.0.5:9/")))
    assert urls_of(stack) == {
        "order": "http://127.0.0.1:8101",
        "payment": "http://10.0.0.5:9",
        "fulfillment": "http://127.0.0.1:8104",
    }
    monkeypatch.setenv("SERVICE_ORDER_SERVICE_URL", "http://other:1")
    monkeypatch.setenv("SERVICE_PAYMENT_SERVICE_URL", "")
    assert urls_of(stack) == {"order": "http://other:1", "payment": "", "fulfillment": "http://127.0.0.1:8104"}


async def test_a_customers_orders_are_refused_in_time_where_cassandra_does_not_answer(tmp_path: Path) -> None:
    for away, why in ((None, "no Cassandra"), (no_ring, "no node of the ring")):
        async with serving(tmp_path, away) as shop:
            started = time.monotonic()
            answer = await shop.get("/support/customers/5/orders")
            health = (await shop.get("/health")).json()
        assert time.monotonic() - started < 5
        assert (answer.status_code, answer.json()["outcome"]) == (503, "not_done")
        assert why in answer.json()["error"]["message"]
        assert (health["dependencies"]["projection"]["problem"] == "") == (away is None)


@pytest.mark.parametrize("query", ["0/orders", "x/orders", "5/orders?limit=0", "5/orders?limit=101"])
async def test_a_wrong_customer_or_limit_is_refused(tmp_path: Path, query: str) -> None:
    async with serving(tmp_path) as shop:
        assert (await shop.get(f"/support/customers/{query}")).status_code == 422
