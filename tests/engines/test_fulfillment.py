"""The fulfillment service on real PostgreSQL and S3: shipped exactly once whatever is killed, nothing hangs."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.doubles.plugins import OURS
from tests.engines.conftest import Up
from tests.engines.instances import Instance, instance
from tests.engines.slow_proxy import slow_proxy

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.probes.probe import all_probes
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import checks, faults, repairs, wrong_fixes
from lakeproof_shop.scenarios.fulfillment_delay import probes as labels
from lakeproof_shop.scenarios.fulfillment_delay.checks import ParcelsShipped
from lakeproof_shop.services.fulfillment.label import make_label
from lakeproof_shop.services.fulfillment.worker import Step

pytestmark = pytest.mark.engines


MODULE = "lakeproof_shop.services.fulfillment.app"
ADDRESS = {"name": "A. Buyer", "street": "1 Lake Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}
ITEMS = [{"sku": "sku-1", "quantity": 2}]
LEASE = {"LAKEPROOF_FULFILLMENT__LEASE_SECONDS": "4", "LAKEPROOF_FULFILLMENT__STORE_SECONDS": "1"}
STATES = ["requested", "label_pending", "label_ready", "shipped"]


@pytest.fixture(scope="module", autouse=True)
def supervisor(up: Up) -> SupervisorClient:
    return up("postgres", "minio")


@pytest.fixture
def service(supervisor: SupervisorClient) -> Iterator[Instance]:
    with instance(MODULE, LEASE) as made:
        yield made.wait_until_healthy()


def body(order_id: int = 17, **more: Any) -> dict[str, Any]:
    return {"order_id": order_id, "address": ADDRESS, "items": ITEMS} | more


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-{uuid.uuid4().hex}"}


def ask_for(shop: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = shop.post("/fulfillments", json=body(**more), headers=key())
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def until(shop: httpx.Client, number: int, status: str, seconds: float = 40.0) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def look() -> dict[str, Any] | None:
        nonlocal last
        last = shop.get(f"/fulfillments/{number}").json()
        return last if last.get("status") == status else None

    return Deadline(seconds).wait_for(f"{number} to be {status}", look, every=0.05, seen=lambda: str(last))


def rows(stack: Stack, sql: str, *args: object) -> list[tuple[Any, ...]]:
    return postgres_session.select(
        stack, "postgres", "postgres-root", sql, *args, database="shop", schema="fulfillment"
    )


def objects(stack: Stack, prefix: str) -> dict[str, bytes]:
    client = s3_client(stack)
    listed = client.list_objects_v2(Bucket=LABEL_BUCKET, Prefix=prefix).get("Contents", [])
    return {
        entry["Key"]: client.get_object(Bucket=LABEL_BUCKET, Key=entry["Key"])["Body"].read()
        for entry in listed
        if not entry["Key"].endswith("/")
    }


def is_consistent(stack: Stack, number: int) -> None:
    """Shipped once, told once, and its label where it belongs, every byte."""
    told = rows(stack, "SELECT type FROM outbox WHERE aggregate_id = $1 ORDER BY id", str(number))
    assert [row[0] for row in told] == [f"status.{state}" for state in STATES]
    events = rows(stack, "SELECT type FROM fulfillment_events WHERE fulfillment_id = $1 ORDER BY version", number)
    assert [row[0] for row in events] == STATES
    label = make_label(number, 17, ADDRESS, ITEMS)
    assert objects(stack, label.ready_key).get(label.ready_key) == label.body
    assert label.pending_key not in objects(stack, label.pending_key)


def metric(shop: httpx.Client, name: str) -> float:
    lines = shop.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def await_metric(shop: httpx.Client, name: str, wanted: Callable[[float], bool]) -> float:
    seen = 0.0

    def look() -> float | None:
        nonlocal seen
        seen = metric(shop, name)
        return seen if wanted(seen) else None

    return Deadline(30).wait_for(name, look, seen=lambda: str(seen))


def test_a_parcel_goes_its_way(stack: Stack, service: Instance) -> None:
    with service.client() as shop:
        made = ask_for(shop)
        shipped = until(shop, made["id"], "shipped")
        assert [event["type"] for event in shipped["events"]] == STATES
        assert shop.get("/fulfillments", params={"order_id": 17}).json()["fulfillments"][-1] == shipped
        back = shop.post(f"/fulfillments/{made['id']}/return", headers=key())
        assert (back.status_code, back.json()["status"]) == (200, "returned")
        assert shop.post(f"/fulfillments/{made['id']}/cancel", headers=key()).status_code == 409


async def test_twenty_racing_calls_of_one_key_make_one_parcel(stack: Stack, service: Instance) -> None:
    headers = key()
    async with httpx.AsyncClient(base_url=service.url, timeout=15.0, trust_env=False) as shop:
        answers = await asyncio.gather(*(shop.post("/fulfillments", json=body(), headers=headers) for _ in range(20)))
        other = await shop.post("/fulfillments", json=body(order_id=18), headers=headers)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.LABELS_CLEARED])
def test_kill_9_after_each_step_ships_exactly_once(stack: Stack, step: Step) -> None:
    with instance(MODULE, LEASE | {"LAKEPROOF_FULFILLMENT__CRASH_AFTER": step.value}) as dying:
        dying.wait_until_healthy()
        headers = key()
        with dying.client() as shop, contextlib.suppress(httpx.HTTPError):  # it may die before it answers
            shop.post("/fulfillments", json=body(), headers=headers)
        dying.wait_for_its_death(-9)
    with instance(MODULE, LEASE) as next_one, next_one.wait_until_healthy().client() as shop:
        number = shop.post("/fulfillments", json=body(), headers=headers).json()["id"]
        until(shop, number, "shipped")
    is_consistent(stack, number)


def test_kill_9_while_labels_are_cleared_leaves_none(stack: Stack) -> None:
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with instance(MODULE, LEASE | {"LAKEPROOF_FULFILLMENT__CRASH_AFTER": Step.LABELS_CLEARED.value}) as dying:
        with dying.wait_until_healthy().client() as shop:
            number = ask_for(shop, hold_until=until_then)["id"]
            until(shop, number, "label_pending")
            with contextlib.suppress(httpx.HTTPError):
                shop.post(f"/fulfillments/{number}/cancel", headers=key())
        dying.wait_for_its_death(-9)
    with instance(MODULE, LEASE) as next_one:
        next_one.wait_until_healthy()

        def look() -> bool | None:
            ((has_work,),) = rows(stack, "SELECT has_work FROM fulfillments WHERE id = $1", number)
            return None if has_work else True

        Deadline(30).wait_for("the labels to be cleared", look)
    assert objects(stack, f"pending/{number}") == {}
    assert objects(stack, f"ready/{number}") == {}


def test_two_instances_share_the_work_and_one_is_killed_in_the_midst(stack: Stack) -> None:
    with instance(MODULE, LEASE) as first, instance(MODULE, LEASE) as second:
        first.wait_until_healthy()
        with second.wait_until_healthy().client() as shop:
            numbers = [ask_for(shop)["id"] for _ in range(60)]
            first.process.kill()
            for number in numbers:
                until(shop, number, "shipped")
    for number in numbers:
        is_consistent(stack, number)


def test_a_held_label_is_not_moved_before(stack: Stack, service: Instance) -> None:
    hold = datetime.now(UTC) + timedelta(seconds=4)
    with service.client() as shop:
        number = ask_for(shop, hold_until=hold.isoformat())["id"]
        until(shop, number, "label_pending")
        head = s3_client(stack).head_object(Bucket=LABEL_BUCKET, Key=f"pending/{number}")
        assert datetime.fromisoformat(head["Metadata"]["hold-until"]) == hold
        while datetime.now(UTC) < hold - timedelta(seconds=0.5):
            assert objects(stack, f"ready/{number}") == {}
            time.sleep(0.2)
        shipped = until(shop, number, "shipped")
        assert datetime.fromisoformat(shipped["shipped_at"]) >= hold
    is_consistent(stack, number)


def test_a_hold_that_is_let_go_ships_at_once(stack: Stack, service: Instance) -> None:
    asked, held = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (1, 2))
    with service.client() as shop:
        number = ask_for(shop, hold_until=asked)["id"]
        until(shop, number, "label_pending")
        time.sleep(3)  # two readings of the backlog
        assert metric(shop, "fulfillment_lag_minutes") < 5  # its buyer's wish is no delay
        assert shop.post(f"/fulfillments/{number}/hold", json={"hold_until": held}, headers=key()).status_code == 200
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: 59 <= lag <= 61)
        assert shop.post(f"/fulfillments/{number}/hold", json={"hold_until": None}, headers=key()).status_code == 200
        until(shop, number, "shipped", seconds=10)
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: lag < 5)


def test_a_hold_written_on_the_label_by_hand_counts(stack: Stack, service: Instance) -> None:
    with service.client() as shop:
        number = ask_for(shop, hold_until=(datetime.now(UTC) + timedelta(seconds=3)).isoformat())["id"]
        until(shop, number, "label_pending")
        later = datetime.now(UTC) + timedelta(seconds=6)
        label = make_label(number, 17, ADDRESS, ITEMS)
        s3_client(stack).put_object(
            Bucket=LABEL_BUCKET, Key=label.pending_key, Body=label.body, Metadata={"hold-until": later.isoformat()}
        )
        shipped = until(shop, number, "shipped")
    assert datetime.fromisoformat(shipped["shipped_at"]) >= later


@pytest.mark.proof
def test_parcels_that_somebody_holds_in_the_store_are_named_let_go_and_shipped_once(
    stack: Stack, service: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_stack = Stack.url
    monkeypatch.setattr(
        Stack,
        "url",
        lambda self, name, port="http": service.url if name == "fulfillment-service" else of_stack(self, name, port),
    )
    with service.client() as shop:
        wish = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
        numbers = [ask_for(shop, hold_until=wish)["id"] for _ in range(3)]
        faults.HeldParcels(count=3).inject(stack)
        assert faults.HeldParcels(count=3).sign(stack).holds
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: 28 <= lag <= 31)
        assert labels.held(stack, 5.0) == 3
        told = repairs.ReleaseLabels().run(stack)
        assert told.startswith("3 labels are under ready/, byte for byte")
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: lag < 5)
        for number in numbers:
            until(shop, number, "shipped")
    parcels = ParcelsShipped(newest=3)
    before = parcels.baseline(CheckContext(stack, Deadline(60)))
    verdict = parcels.verify(CheckContext(stack, Deadline(60)), before)
    assert verdict.outcome is Outcome.PASSED, verdict


@pytest.mark.proof
def test_parcels_that_were_only_called_shipped_are_found_and_can_be_given_back(
    stack: Stack, service: Instance
) -> None:
    parcels, context = ParcelsShipped(newest=1, seconds=0.5), CheckContext(stack, Deadline(60))
    with service.client() as shop:
        number = ask_for(shop, hold_until=(datetime.now(UTC) + timedelta(seconds=20)).isoformat())["id"]
        wished = until(shop, number, "label_pending")["hold_until"]
        before = parcels.baseline(context)
        assert before.verdict.outcome is Outcome.PASSED
        wrong_fixes.MarkParcelsShipped().run(stack)
        assert parcels.verify(context, before).outcome is Outcome.FAILED
        wrong_fixes.MarkParcelsShipped().undo(stack)
        assert until(shop, number, "label_pending")["hold_until"] == wished
        until(shop, number, "shipped")
    assert checks.ParcelsShipped(newest=1).verify(context, before).outcome is Outcome.PASSED


@pytest.mark.parametrize("signal", ["STOP", "KILL"])
def test_without_the_store_requests_are_taken_the_backlog_grows_and_it_catches_up(
    stack: Stack, service: Instance, supervisor: SupervisorClient, signal: str
) -> None:
    with service.client() as shop:
        before = await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda _: True)
        supervisor.stop("minio") if signal == "KILL" else supervisor.kill("minio", "STOP")
        try:
            numbers, slowest = [], 0.0
            for _ in range(10):
                started = time.monotonic()
                numbers.append(ask_for(shop)["id"])
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 2.0
            await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda seen: seen >= before + 10)
            assert metric(shop, "fulfillment_artifacts_backlog_bytes") > 0
            told = str(all_probes(OURS)["fulfillment-worker"].look(stack).value)
            assert re.search(r"\d+ due", told) and re.search(r"tried \d+ times at most: \S+", told), told
            started = time.monotonic()
            health = shop.get("/health")
            assert time.monotonic() - started < 2.0
            assert (health.status_code, health.json()["dependencies"]["minio"]["status"]) == (200, "unhealthy")
        finally:
            supervisor.start("minio") if signal == "KILL" else supervisor.kill("minio", "CONT")
        for number in numbers:
            until(shop, number, "shipped")
        await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda seen: seen == before)
    for number in numbers:
        is_consistent(stack, number)


def test_a_slow_store_delays_labels_and_no_request(stack: Stack) -> None:
    host, port = stack.host_port("minio", "http")
    with slow_proxy(host, port, seconds=1.0) as slow:
        endpoints = json.dumps({"minio": {"http": f"127.0.0.1:{slow}"}})
        with (
            instance(MODULE, {"LAKEPROOF_ENDPOINTS": endpoints}) as service,
            service.wait_until_healthy().client() as shop,
        ):
            started = time.monotonic()
            number = ask_for(shop)["id"]
            assert time.monotonic() - started < 1.0
            until(shop, number, "shipped", seconds=60)
    is_consistent(stack, number)


def test_a_stopped_database_ends_every_request(stack: Stack, service: Instance, supervisor: SupervisorClient) -> None:
    with service.client() as shop:
        ask_for(shop)
        supervisor.kill("postgres", "STOP")
        try:
            started = time.monotonic()
            answer = shop.post("/fulfillments", json=body(), headers=key())
            assert (answer.status_code, answer.json()["outcome"] in ("not_done", "unclear")) == (503, True)
            assert time.monotonic() - started < stack.settings.shop.request_seconds + 2.0
            assert shop.get("/health").status_code == 503
        finally:
            supervisor.kill("postgres", "CONT")
        service.wait_until_healthy()
        until(shop, ask_for(shop)["id"], "shipped")


def chaos(*flags: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "scripts/chaos/simulate_fulfillment_delay.py", *flags], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def test_the_rehearsal_raises_lag_and_backlog_and_its_revert_takes_them_back(stack: Stack, service: Instance) -> None:
    with service.client() as shop:
        before = await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda _: True)
        held = chaos("--count", "25", "--hold-minutes", "30")
        assert (held["objects"], held["prefix"]) == (25, "chaos/fulfillment-delay/")
        await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda seen: seen == before + 25)
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: 29 <= lag <= 31)
        gone = chaos("--revert")
        assert (gone["removedObjects"], gone["releasedBytes"], gone["objects"]) == (25, held["bytes"], 0)
        await_metric(shop, "fulfillment_artifacts_backlog_objects", lambda seen: seen == before)
        await_metric(shop, "fulfillment_lag_minutes", lambda lag: lag < 5)
