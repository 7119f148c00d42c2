"""The support service on real PostgreSQL, Redis, S3 and the other services: degraded as documented, never stale."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.engines.conftest import Up
from tests.engines.instances import Instance, instance
from tests.engines.slow_proxy import slow_proxy
from tests.engines.support_shop import JSON, PNG, bought, form, key, posted
from tests.shop.support.names import TRAVERSALS

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.object_store import ATTACHMENT_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import Part, Scope, ShopFacts, Store
from lakeproof_shop.proof.claims.reading import read_facts
from lakeproof_shop.services.support.attachment_store import AttachmentStore
from lakeproof_shop.services.support.caretaker import Caretaker
from lakeproof_shop.services.support.file_store import FileStore
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import connector_of

pytestmark = pytest.mark.engines


MODULE = "lakeproof_shop.services.support.app"
SOURCE_SECONDS = 1.0
SETTINGS = {"LAKEPROOF_SUPPORT__SOURCE_SECONDS": str(SOURCE_SECONDS)}
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(scope="module", autouse=True)
def supervisor(up: Up) -> SupervisorClient:
    return up("postgres", "redis", "minio", "order-service")


@pytest.fixture(scope="module")
def urls(stack: Stack, supervisor: SupervisorClient) -> Iterator[dict[str, str]]:
    """The three sources, each a real service."""
    with contextlib.ExitStack() as running:
        own = {
            name: running.enter_context(instance(f"lakeproof_shop.services.{name}.app")).wait_until_healthy().url
            for name in ("payment", "fulfillment")
        }
        yield {"order": stack.url("order-service"), **own}


def variables(urls: dict[str, str]) -> dict[str, str]:
    return {f"SERVICE_{name.upper()}_SERVICE_URL": url for name, url in urls.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attachments")


@pytest.fixture(scope="module")
def support(urls: dict[str, str], folder: Path) -> Iterator[Instance]:
    where = {"LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR": str(folder)}
    with instance(MODULE, SETTINGS | variables(urls) | where) as made:
        yield made.wait_until_healthy()


@pytest.fixture
def shop(support: Instance) -> Iterator[httpx.Client]:
    with support.client() as client:
        yield client


def a_case(shop: httpx.Client, order_id: int | None = None) -> int:
    body = {"customer_id": 5, "subject": "Where is it?", "message": "Not here."} | (
        {"order_id": order_id} if order_id else {}
    )
    answer = shop.post("/support/cases", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def timeline(shop: httpx.Client, case: int) -> tuple[JSON, float]:
    started = time.monotonic()
    answer = shop.get(f"/support/cases/{case}", params={"includeTimeline": "true"})
    assert answer.status_code == 200, answer.text
    found: JSON = answer.json()["timeline"]
    return found, time.monotonic() - started


def settled(shop: httpx.Client, case: int) -> JSON:
    """The timeline once the parcel is shipped."""

    def look() -> JSON | None:
        found: JSON = shop.post(f"/support/cases/{case}/timeline/refresh").json()
        return found if any(entry["type"] == "fulfillment.shipped" for entry in found["entries"]) else None

    return Deadline(30).wait_for("the parcel to be shipped", look)


def count(shop: httpx.Client, name: str) -> float:
    lines = shop.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_a_case_is_opened_answered_and_closed(shop: httpx.Client) -> None:
    case = a_case(shop)
    asked = key()
    once, again = (
        shop.post(f"/support/cases/{case}/messages", json={"author": "agent", "body": "Soon.\n"}, headers=asked)
        for _ in range(2)
    )
    assert (once.status_code, again.status_code, again.json()) == (201, 200, once.json())
    assert [message["author"] for message in again.json()["messages"]] == ["customer", "agent"]
    assert shop.post(f"/support/cases/{case}/close", headers=key()).json()["status"] == "closed"
    assert shop.post(f"/support/cases/{case}/messages", json={"body": "x"}, headers=key()).status_code == 409


def test_a_timeline_tells_of_order_payment_and_parcel_and_is_kept(shop: httpx.Client, urls: dict[str, str]) -> None:
    case = a_case(shop, bought(urls))
    whole = settled(shop, case)
    assert whole["complete"] is True
    assert [entry["at"] for entry in whole["entries"]] == sorted(entry["at"] for entry in whole["entries"])
    assert {entry["type"] for entry in whole["entries"]} >= {
        "order.created", "order.paid", "payment.authorized", "payment.captured", "fulfillment.shipped", "case.opened",
    }  # fmt: skip
    kept, _ = timeline(shop, case)
    assert (kept["came_from"], kept["entries"]) == ("cache", whole["entries"])


def test_a_change_that_nobody_tells_of_is_seen_within_the_time_that_is_kept(
    stack: Stack, shop: httpx.Client, urls: dict[str, str]
) -> None:
    """There is no Kafka here: neither an event nor change capture."""
    order = bought(urls)
    case = a_case(shop, order)
    settled(shop, case)
    payment = httpx.get(f"{urls['payment']}/payments", params={"order_id": order}).json()["payments"][0]
    timeline(shop, case)
    posted(f"{urls['payment']}/payments/{payment['id']}/refund", {}, 200)
    posted(f"{urls['order']}/orders/{order}/cancel", None, 200)
    Deadline(60).pause(stack.settings.support.timeline_cache_ttl_seconds)
    now, _ = timeline(shop, case)
    assert now["complete"] is True
    assert {entry["type"] for entry in now["entries"]} >= {"payment.refunded", "order.cancelled"}


def test_a_change_is_not_served_stale_after_a_refresh(shop: httpx.Client, urls: dict[str, str]) -> None:
    order = bought(urls)
    case = a_case(shop, order)
    settled(shop, case)
    payment = httpx.get(f"{urls['payment']}/payments", params={"order_id": order}).json()["payments"][0]
    posted(f"{urls['payment']}/payments/{payment['id']}/refund", {}, 200)
    shop.post(f"/support/cases/{case}/timeline/refresh")
    kept, _ = timeline(shop, case)
    assert (kept["came_from"], "payment.refunded" in {entry["type"] for entry in kept["entries"]}) == ("cache", True)


@pytest.mark.parametrize("name", ["order", "payment", "fulfillment"])
@pytest.mark.parametrize("trouble", ["down", "slow"])
def test_a_source_that_is_away_or_slow_is_named_and_nothing_hangs(
    urls: dict[str, str], name: str, trouble: str
) -> None:
    order = bought(urls)
    with contextlib.ExitStack() as running:
        bad = CLOSED
        if trouble == "slow":
            host, port = urls[name].removeprefix("http://").split(":")
            bad = f"http://127.0.0.1:{running.enter_context(slow_proxy(host, int(port), seconds=5.0))}"
        given = SETTINGS | variables(urls | {name: bad})
        with running.enter_context(instance(MODULE, given)).wait_until_healthy().client() as shop:
            case = a_case(shop, order)
            partial, seconds = timeline(shop, case)
            again, _ = timeline(shop, case)
            health = shop.get("/health")
    assert seconds < SOURCE_SECONDS + 2.5
    assert (partial["complete"], partial["sources"][name]["state"]) == (False, "missing")
    assert partial["sources"][name]["why"].startswith("no answer")
    assert {entry["source"] for entry in partial["entries"]} >= {"order", "payment", "fulfillment", "support"} - {
        name
    }
    assert again["came_from"] == "remote"  # a partial one is never kept
    dependency = health.json()["dependencies"][f"{name}-service"]
    assert (health.status_code, dependency["status"]) == (200, "unhealthy")


def test_a_source_that_is_switched_off_is_said(urls: dict[str, str]) -> None:
    given = SETTINGS | variables(urls | {"payment": ""})
    with instance(MODULE, given) as made, made.wait_until_healthy().client() as shop:
        found, _ = timeline(shop, a_case(shop, bought(urls)))
    assert (found["complete"], found["sources"]["payment"]["state"]) == (False, "off")


def test_a_frozen_cache_costs_little_and_nothing_stale_comes_out_of_it(
    shop: httpx.Client, urls: dict[str, str], supervisor: SupervisorClient
) -> None:
    order = bought(urls)
    case = a_case(shop, order)
    settled(shop, case)
    errors = count(shop, 'support_timeline_cache_events_total{event="error"}')
    supervisor.kill("redis", "STOP")
    try:
        looks = [timeline(shop, case) for _ in range(5)]
        payment = httpx.get(f"{urls['payment']}/payments", params={"order_id": order}).json()["payments"][0]
        posted(f"{urls['payment']}/payments/{payment['id']}/refund", {}, 200)
        fresh = shop.post(f"/support/cases/{case}/timeline/refresh").json()
        health = shop.get("/health").json()
    finally:
        supervisor.kill("redis", "CONT")
    assert max(seconds for _, seconds in looks) < 1.5
    assert sorted(seconds for _, seconds in looks)[2] < 0.5  # one of them waited
    assert {look["came_from"] for look, _ in looks} == {"remote"}
    assert "payment.refunded" in {entry["type"] for entry in fresh["entries"]}
    assert (health["status"], health["dependencies"]["redis"]["status"]) == ("healthy", "unhealthy")
    assert count(shop, 'support_timeline_cache_events_total{event="error"}') > errors

    def kept_again() -> JSON | None:
        found, _ = timeline(shop, case)
        assert "payment.refunded" in {entry["type"] for entry in found["entries"]}  # also the first from the cache
        return found if found["came_from"] == "cache" else None

    Deadline(30).wait_for("the cache to be used again", kept_again)


def test_a_file_comes_back_as_it_was(shop: httpx.Client, folder: Path) -> None:
    case = a_case(shop)
    body, headers = form("Ảnh (1).png", PNG)
    once, again = (shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers) for _ in range(2))
    assert (once.status_code, again.status_code, again.json()) == (201, 200, once.json())
    assert (once.json()["content_type"], once.json()["sha256"]) == ("image/png", hashlib.sha256(PNG).hexdigest())
    back = shop.get(f"/support/cases/{case}/attachments/{once.json()['id']}")
    assert (back.content, back.headers["x-content-type-options"]) == (PNG, "nosniff")
    assert back.headers["content-disposition"].startswith("attachment;")
    other, headers_of_other = form("other.png", PNG + b"x")
    reused = headers_of_other | {"Idempotency-Key": headers["Idempotency-Key"]}
    assert shop.post(f"/support/cases/{case}/attachments", content=other, headers=reused).status_code == 422
    listed = shop.get(f"/support/cases/{case}/attachments").json()["attachments"]
    assert [one["id"] for one in listed] == [once.json()["id"]]


def test_no_name_is_a_path(shop: httpx.Client, folder: Path) -> None:
    case = a_case(shop)
    before = set(folder.rglob("*"))
    outside = set(folder.parent.iterdir())
    for name in TRAVERSALS:
        body, headers = form(name, b"traversal")
        answer = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers)
        assert answer.status_code in (400, 422), (name, answer.text)
    assert (set(folder.rglob("*")), set(folder.parent.iterdir())) == (before, outside)
    for path in ("..%2f..%2fetc%2fpasswd", "../../../../etc/passwd", "%2e%2e/%2e%2e", "1%00", "-1", "1e3"):
        answer = shop.get(f"/support/cases/{case}/attachments/{path}")
        assert answer.status_code in (404, 405, 422) and b"root:" not in answer.content


@pytest.mark.parametrize("chunked", [False, True])
def test_two_hundred_mebibytes_are_refused_early_and_never_held(
    shop: httpx.Client, support: Instance, folder: Path, chunked: bool
) -> None:
    case = a_case(shop)
    sent = 0
    process = psutil.Process(support.process.pid)
    before, stored = process.memory_info().rss, set(folder.rglob("*"))
    head, headers = form("big.png", PNG)
    head = head.removesuffix(b"\r\n--xx--\r\n")

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        yield head
        for _ in range(3200):
            sent += 65536
            yield bytes(65536)
        yield b"\r\n--xx--\r\n"

    if not chunked:
        headers["Content-Length"] = str(len(head) + 3200 * 65536 + 10)
    status = 0
    with contextlib.suppress(httpx.HTTPError):  # the service may hang up while more is being sent
        status = shop.post(f"/support/cases/{case}/attachments", content=pieces(), headers=headers).status_code
    assert status in (413, 0)
    assert sent < 32 * 1024 * 1024
    assert process.memory_info().rss - before < 32 * 1024 * 1024
    assert set(folder.rglob("*")) - stored == {path for path in folder.rglob("*") if path.is_dir()} - stored
    assert shop.get(f"/support/cases/{case}").status_code == 200


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 413)])
def test_an_attachment_may_have_ten_mebibytes_and_is_never_held(
    shop: httpx.Client, support: Instance, more: int, status: int
) -> None:
    case = a_case(shop)
    process = psutil.Process(support.process.pid)
    before = process.memory_info().rss
    body, headers = form("log.txt", b"x" * (10 * 1024 * 1024 + more))
    for _ in range(3):
        headers |= key()
        answer = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers)
        assert answer.status_code == status, answer.text
    assert process.memory_info().rss - before < 16 * 1024 * 1024


def test_what_is_no_picture_document_or_text_is_refused(shop: httpx.Client) -> None:
    body, headers = form("photo.png", b"\x7fELF" + bytes(100))
    answer = shop.post(f"/support/cases/{a_case(shop)}/attachments", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_type")


def offload(folder: Path, *flags: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "scripts/maintenance/offload_support_attachments.py", "--age-days", "0", *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR": str(folder)},
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_offload_moves_what_it_has_verified_and_keeps_what_it_has_not(
    stack: Stack, shop: httpx.Client, folder: Path
) -> None:
    case = a_case(shop)

    def attach(content: bytes) -> JSON:
        body, headers = form("photo.png", content)
        made: JSON = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
        return made

    good, spoilt = attach(PNG + b"good"), attach(PNG + b"spoilt")
    files = [path for path in (folder / "files").rglob("*") if path.is_file()]
    spoilt_file = next(path for path in files if path.read_bytes().endswith(b"spoilt"))
    spoilt_file.write_bytes(PNG + b"rotten")
    code, would = offload(folder, "--dry-run")
    assert (code, would["candidates"], would["moved"]) == (0, len(files), 0)
    assert all(path.exists() for path in files)
    code, done = offload(folder)
    assert (code, done["moved"]) == (1, len(files) - 1)
    assert [one["attachment"] for one in done["failed"]] == [spoilt["id"]]
    assert [path for path in (folder / "files").rglob("*") if path.is_file()] == [spoilt_file]
    back = shop.get(f"/support/cases/{case}/attachments/{good['id']}")
    assert (back.status_code, back.content) == (200, PNG + b"good")
    listed = {one["id"]: one["place"] for one in shop.get(f"/support/cases/{case}/attachments").json()["attachments"]}
    assert listed == {good["id"]: "archive", spoilt["id"]: "local"}
    spoilt_file.write_bytes(PNG + b"spoilt")
    assert offload(folder)[1]["moved"] == 1
    # An offload that was killed between the row and the file: the file goes once the archive was read again.
    key_of_good = next(
        entry["Key"]
        for entry in s3_client(stack).list_objects_v2(Bucket=ATTACHMENT_BUCKET, Prefix=f"{case}/")["Contents"]
        if s3_client(stack).get_object(Bucket=ATTACHMENT_BUCKET, Key=entry["Key"])["Body"].read().endswith(b"good")
    )
    name = key_of_good.split("/")[1].replace("-", "")
    (folder / "files" / name[:2] / name).write_bytes(PNG + b"good")
    assert offload(folder)[1]["leftoversDeleted"] == 1
    assert [path for path in (folder / "files").rglob("*") if path.is_file()] == []


@pytest.mark.proof  # until it was green three times in a row
def test_check_compares_every_file_with_its_row_and_every_change_with_its_event(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client, folder: Path
) -> None:
    case = a_case(shop)
    body, headers = form("photo.png", PNG + b"for check")
    made = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
    support = stack.settings.support.model_copy(update={"support_attachment_dir": folder})
    looked_at = Stack(stack.settings.model_copy(update={"support": support}))
    parts = frozenset({Part.ATTACHMENTS, Part.CHANGES})

    def facts() -> ShopFacts:
        return read_facts(looked_at, {Store.SHOP, Store.SUPPORT, Store.LABELS}, Scope(parts))

    def red() -> dict[str, list[str]]:
        found = facts()
        assert found.unknown == {}
        return {name: broken for name in CLAIMS if (broken := CLAIMS[name](found))}

    assert (red(), facts().all_attachments) == ({}, len(facts().attachments or ()))
    # In the folder: one byte of its content.
    (path,) = (
        path for path in (folder / "files").rglob("*") if path.is_file() and path.read_bytes().endswith(b"for check")
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"K")
    (word,) = red()["shop: each attachment is what was uploaded"]
    assert f"attachment {made['id']}: of case {case}, in the folder: {len(whole)} bytes" in word
    path.unlink()
    (word,) = red()["shop: each attachment is what was uploaded"]
    assert "it is not there" in word
    path.write_bytes(whole)
    # In the archive.
    assert offload(folder)[0] == 0
    assert red() == {}
    store = s3_client(stack)
    key_of_it = f"{case}/{uuid.UUID(path.name)}"
    store.put_object(Bucket=ATTACHMENT_BUCKET, Key=key_of_it, Body=whole[:-1])
    (word,) = red()["shop: each attachment is what was uploaded"]
    assert f"in the archive: {len(whole) - 1} bytes" in word
    store.delete_object(Bucket=ATTACHMENT_BUCKET, Key=key_of_it)
    (word,) = red()["shop: each attachment is what was uploaded"]
    assert "it is not there" in word
    store.put_object(Bucket=ATTACHMENT_BUCKET, Key=key_of_it, Body=whole)
    supervisor.kill("minio", "STOP")
    try:
        began = time.monotonic()
        assert set(facts().unknown) == {Part.ATTACHMENTS}
        print(f"a frozen archive: unknown after {time.monotonic() - began:.1f} s")
    finally:
        supervisor.kill("minio", "CONT")
    # The event of the case's first change.
    taken = _taken_from_outbox(stack, case)
    assert red() == {
        "shop: an event tells of every change": [
            f"support change {case} case.opened 1: no event in the outbox or the topic tells of it"
        ]
    }
    _given_back_to_outbox(stack, taken)
    assert red() == {}


def _in_support(stack: Stack, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop", "support") as session:
        return session.rows(statement, *values)


def _taken_from_outbox(stack: Stack, case: int) -> str:
    taken = "DELETE FROM outbox o WHERE aggregate_id = $1 AND type = 'case.opened' RETURNING to_jsonb(o)::text"
    ((row,),) = _in_support(stack, taken, str(case))
    return str(row)


def _given_back_to_outbox(stack: Stack, row: str) -> None:
    _in_support(stack, "INSERT INTO outbox SELECT * FROM jsonb_populate_record(NULL::outbox, $1::jsonb)", row)


def test_a_frozen_archive_makes_no_caller_hang_and_files_on_the_disk_are_served(
    stack: Stack, supervisor: SupervisorClient, shop: httpx.Client, folder: Path
) -> None:
    case = a_case(shop)

    def attach(content: bytes) -> str:
        body, headers = form("photo.png", content)
        made = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
        return f"/support/cases/{case}/attachments/{made['id']}"

    archived = attach(PNG + b"archived")
    assert offload(folder)[0] == 0
    on_disk = attach(PNG + b"on the disk")
    limit = stack.settings.shop.request_seconds + 2.0

    many = httpx.Client(
        base_url=shop.base_url, timeout=60.0, trust_env=False, limits=httpx.Limits(max_connections=100)
    )

    def timed(path: str) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        return many.get(path), time.monotonic() - began

    supervisor.kill("minio", "STOP")
    try:
        with many, ThreadPoolExecutor(61) as callers:
            asked = [callers.submit(timed, archived) for _ in range(60)]
            beside, seconds = callers.submit(timed, on_disk).result()
            answers = [one.result() for one in asked]
    finally:
        supervisor.kill("minio", "CONT")
    assert (beside.status_code, beside.content, seconds < limit) == (200, PNG + b"on the disk", True)
    print(f"60 callers of a frozen archive, slowest {max(took for _, took in answers):.1f} s")
    for answer, took in answers:
        assert (answer.status_code, took < limit) == (503, True), (answer.text, took)
    Deadline(30).wait_for("the archive again", lambda: True if shop.get(archived).status_code == 200 else None)
    assert shop.get(archived).content == PNG + b"archived"
    assert offload(folder)[0] == 0


def test_the_attachments_are_counted(shop: httpx.Client) -> None:
    case = a_case(shop)
    body, headers = form("photo.png", PNG)
    assert shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).status_code == 201

    def look() -> bool | None:
        seen = (count(shop, "support_attachment_backlog_files"), count(shop, "support_attachment_backlog_bytes"))
        return True if seen == (1, len(PNG)) else None

    Deadline(20).wait_for("one file to be counted", look)


def test_the_probe_says_what_a_user_meets(support: Instance, urls: dict[str, str]) -> None:
    order = bought(urls)
    done = subprocess.run(
        [
            sys.executable,
            "scripts/synthetic/support_timeline_probe.py",
            *("--base-url", support.url, "--order-id", str(order)),
        ],
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["missing"]) == (0, True, {}), told
    assert told["cameFrom"] == ["remote", "cache", "cache", "cache", "cache"]


def test_kill_9_in_the_midst_of_uploads_loses_no_acknowledged_file(urls: dict[str, str], tmp_path: Path) -> None:
    where = SETTINGS | variables(urls) | {"LAKEPROOF_SUPPORT__SUPPORT_ATTACHMENT_DIR": str(tmp_path)}
    acknowledged: list[tuple[str, bytes]] = []
    with instance(MODULE, where) as dying, dying.wait_until_healthy().client() as shop:
        case = a_case(shop)
        for number in range(8):
            content = PNG + str(number).encode()
            body, headers = form("photo.png", content)
            made = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
            acknowledged.append((f"/support/cases/{case}/attachments/{made['id']}", content))
        dying.process.kill()
    with instance(MODULE, where) as next_one, next_one.wait_until_healthy().client() as shop:
        for path, content in acknowledged:
            assert shop.get(path).content == content


def test_a_stopped_database_ends_every_request(
    stack: Stack, support: Instance, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    case = a_case(shop)
    supervisor.kill("postgres", "STOP")
    try:
        for path in (f"/support/cases/{case}?includeTimeline=true", f"/support/cases/{case}/attachments"):
            started = time.monotonic()
            assert shop.get(path).status_code == 503
            assert time.monotonic() - started < stack.settings.shop.request_seconds + 2.0
        assert shop.get("/health").status_code == 503
    finally:
        supervisor.kill("postgres", "CONT")
    support.wait_until_healthy()


def test_a_file_that_is_nowhere_is_said_to_be_lost(shop: httpx.Client, folder: Path) -> None:
    case = a_case(shop)
    before = set((folder / "files").rglob("*"))
    body, headers = form("photo.png", PNG)
    made = shop.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
    for path in set((folder / "files").rglob("*")) - before:
        if path.is_file():
            path.unlink()
    answer = shop.get(f"/support/cases/{case}/attachments/{made['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "file_lost")


async def test_a_whole_file_without_a_row_is_set_aside_and_one_with_a_row_stays(
    stack: Stack, shop: httpx.Client, folder: Path
) -> None:
    body, headers = form("photo.png", PNG + b"with a row")
    assert shop.post(f"/support/cases/{a_case(shop)}/attachments", content=body, headers=headers).status_code == 201
    orphan = uuid.uuid4()
    files = FileStore(folder)
    files.path(orphan).parent.mkdir(parents=True, exist_ok=True)
    files.path(orphan).write_bytes(b"without")
    metrics = SupportMetrics()
    pool = ConnectionPool(connector_of(stack, "support"), 1)
    known = set(files.older_than(-1)) - {orphan}
    assert known
    assert await Caretaker(files, AttachmentStore(pool, metrics.database), metrics).tidy(-1) == 1
    await pool.close()
    assert set(files.older_than(-1)) == known
    assert (folder / "aside" / orphan.hex).read_bytes() == b"without"
