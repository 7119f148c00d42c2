"""The mail sink in one process: what was acknowledged is there after a restart, each message once, bounded."""

import asyncio
import logging
import resource
import smtplib
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from tests.doubles.ports import free_port

from lakeproof.errors import TerminalError
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure.probes import provider_answer
from lakeproof_shop.services.mail_sink import log as sink_log
from lakeproof_shop.services.mail_sink.account import Account
from lakeproof_shop.services.mail_sink.app import Place, create_app
from lakeproof_shop.services.mail_sink.log import MessageLog, NotKept
from lakeproof_shop.services.mail_sink.messages import Message
from lakeproof_shop.services.mail_sink.smtp import read_mail


def mail(message_id: str, to: str = "a@example.org") -> Message:
    return Message("email", message_id, "shop@example.org", (to,), "Hello", "Text", "2026-11-24T00:00:00.000000Z")


@asynccontextmanager
async def opened(folder: Path, **bounds: int) -> AsyncIterator[MessageLog]:
    made = MessageLog(folder, **bounds)
    made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_a_mail_whose_text_holds_no_whole_character_is_kept(tmp_path: Path) -> None:
    half = b"Subject: =?utf-7?q?+2AA-?=\nContent-Type: text/plain; charset=utf-7\n\nhalf a pair: +2AA-"
    async with opened(tmp_path) as log, asyncio.timeout(60):
        assert await log.accept(read_mail(half, "s@x", ["r@x"])) is True
        assert [(one.subject, one.body) for one in await log.find(1)] == [("?", "half a pair: ?")]


async def test_what_was_accepted_is_there_after_a_restart_with_its_repeats(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        assert await log.accept(mail("<1@x>")) is True
        assert await log.accept(mail("<1@x>")) is False
    async with opened(tmp_path) as log:
        assert [(one.message_id, one.seq, one.repeats) for one in await log.find(10)] == [("<1@x>", 1, 1)]
        assert await log.accept(mail("<1@x>")) is False
        assert await log.accept(mail("<2@x>")) is True


async def test_racing_senders_of_one_message_keep_it_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        new = await asyncio.gather(*(log.accept(mail(f"<{number % 10}@x>")) for number in range(200)))
        assert sum(new) == 10
        assert log.count() == (10, 190)


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "messages.sqlite").write_bytes(b"rubbish\n" * 100)
    with pytest.raises(TerminalError, match="file is not a database"):
        MessageLog(tmp_path).open()


async def test_the_oldest_go_when_there_is_no_room_and_the_newest_are_still_recognised(tmp_path: Path) -> None:
    async with opened(tmp_path, max_messages=20) as log:
        for number in range(35):
            await log.accept(mail(f"<{number}@x>"))
        assert log.count()[0] <= 20
        assert log.counts.forgotten == 35 - log.count()[0]
        assert await log.accept(mail("<34@x>")) is False
        assert await log.accept(mail("<25@x>")) is False
        assert [one.seq for one in await log.find(1)] == [log.counts.forgotten + 1]


async def test_a_message_that_comes_again_and_again_pushes_none_out(tmp_path: Path) -> None:
    async with opened(tmp_path, max_messages=20) as log:
        for number in [*range(20), *[3] * 200, 20]:
            await log.accept(mail(f"<{number}@x>"))
        assert log.count()[0] >= 10
        assert await log.accept(mail("<19@x>")) is False


async def test_large_messages_do_not_make_the_file_grow_without_end(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=1 << 20) as log:
        for number in range(100):
            await log.accept(replace(mail(f"<{number}@x>"), body="x" * 50_000))
        assert (tmp_path / "messages.sqlite").stat().st_size < 2 << 20
        assert 5 < log.count()[0] < 25
        assert await log.accept(mail("<99@x>")) is False


async def test_a_file_that_takes_nothing_is_said_until_it_takes_something_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_log, "LOCK_SECONDS", 0.05)
    async with opened(tmp_path) as log:
        with closing(sqlite3.connect(tmp_path / "messages.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(NotKept, match="locked"):
                await log.accept(mail("<1@x>"))
            assert "locked" in await log.disk_problem()
            assert "locked" in await log.disk_problem()
        assert await log.disk_problem() == ""
        assert log.count() == (0, 0)
        assert await log.accept(mail("<1@x>")) is True
    async with opened(tmp_path) as log:
        assert [one.seq for one in await log.find(10)] == [1]


async def test_nothing_of_a_batch_stays_that_the_disk_does_not_take_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.accept(mail("<1@x>"))
        pages = log._writer.execute("PRAGMA page_count").fetchone()[0]
        log._writer.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "disk is full"
        large = replace(mail("<2@x>"), body="x" * 60_000)
        results = await asyncio.gather(
            *(log.accept(one) for one in (mail("<1@x>"), mail("<3@x>"), large)), return_exceptions=True
        )
        assert ["full" in str(one) for one in results] == [True] * 3
        log._writer.execute("PRAGMA max_page_count = 1000000")
        assert await log.accept(large) is True
        assert log.count() == (2, 0)
    async with opened(tmp_path) as log:
        assert [(one.message_id, one.repeats) for one in await log.find(10)] == [("<1@x>", 0), ("<2@x>", 0)]


async def test_no_sender_waits_for_ever_after_an_error_that_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as log:
        with monkeypatch.context() as broken:
            broken.setattr(sink_log, "_values", lambda message: dict[str, str]()["no such key"])
            async with asyncio.timeout(5):
                with pytest.raises(NotKept, match="no such key"):
                    await log.accept(mail("<1@x>"))
        assert "no such key" in log.problem
        assert await log.accept(mail("<1@x>")) is True


async def test_the_numbers_go_on_after_all_was_cleared_and_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.accept(mail("<1@x>"))
        await log.accept(mail("<1@x>"))
        assert await log.clear() == 1
        assert log.count() == (0, 0)
    async with opened(tmp_path) as log:
        assert await log.accept(mail("<1@x>")) is True
        assert (await log.find(10, after=1))[0].message_id == "<1@x>"


async def test_more_than_may_wait_for_the_disk_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_log, "MAX_WAITING", 5)
    async with opened(tmp_path) as log:
        results = await asyncio.gather(*(log.accept(mail(f"<{n}@x>")) for n in range(9)), return_exceptions=True)
        assert sum(isinstance(one, NotKept) for one in results) == 4
        assert log.count()[0] == 5


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"Message-ID: <\xff\xfe\nSubject: =?x?q?\n\nbody\n", "body"),
        (b"Subject: =?utf-8?b?!!!?=\nContent-Type: text/plain; charset=nope\n\nbody", "body"),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n%%%", ""),
        (b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\none\n--x--", "one"),
        (b"Content-Type: multipart/mixed\n\nno boundary", ""),
        (b"", ""),
    ],
)
def test_a_broken_mail_is_still_a_mail(content: bytes, body: str) -> None:
    kept = read_mail(content, "s@x", ["r@x"])
    assert (kept.to, kept.body) == (("r@x",), body)
    assert kept.message_id


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """The app with its SMTP port, served in this process."""
    port = free_port()
    app = create_app(ShopSettings(), Place("127.0.0.1", port, tmp_path))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sink") as client,
    ):
        yield client, port


async def test_a_sink_that_ends_by_an_error_gives_its_port_back(tmp_path: Path) -> None:
    port = free_port()
    app = create_app(ShopSettings(), Place("127.0.0.1", port, tmp_path))
    with pytest.raises(ZeroDivisionError):
        async with app.router.lifespan_context(app):
            raise ZeroDivisionError
    with socket.create_server(("127.0.0.1", port)):
        pass


def send_by_smtp(port: int, message_id: str, to: str) -> None:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"], one["Message-ID"] = "shop@example.org", to, "Grüße", message_id
    one.set_content("Your order is on its way.\nGrüße")
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.send_message(one)


async def test_a_mail_comes_in_by_smtp_and_is_read_by_recipient(sink: tuple[httpx.AsyncClient, int]) -> None:
    client, port = sink
    for message_id, to in (("<1@x>", "a@example.org"), ("<2@x>", "b@example.org"), ("<1@x>", "a@example.org")):
        await asyncio.to_thread(send_by_smtp, port, message_id, to)
    page = (await client.get("/messages", params={"to": "a@example.org"})).json()
    (found,) = page["messages"]
    assert (found["message_id"], found["subject"], found["repeats"]) == ("<1@x>", "Grüße", 1)
    assert found["body"] == "Your order is on its way.\nGrüße"
    assert (await client.get("/messages/count")).json() == {"messages": 2, "repeats": 1}


async def test_no_customers_address_and_no_command_of_a_healthy_connection_is_logged(
    sink: tuple[httpx.AsyncClient, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await asyncio.to_thread(send_by_smtp, sink[1], "<1@x>", "somebody@example.org")
    assert "somebody" not in caplog.text
    assert [one for one in caplog.records if one.name.startswith("mail")] == []


async def test_a_webhook_is_kept_once_per_key_and_pages_go_on(sink: tuple[httpx.AsyncClient, int]) -> None:
    client, _ = sink
    for key in ("k1", "k2", "k1", "k3"):
        body = {"to": "http://x/hook", "subject": "s", "body": "b", "more": [1]}
        answer = await client.post("/webhook", json=body, headers={"idempotency-key": key})
        assert answer.status_code == 200
    first = (await client.get("/messages", params={"limit": 2})).json()
    second = (await client.get("/messages", params={"limit": 2, "after": first["next"]})).json()
    assert [one["message_id"] for one in first["messages"] + second["messages"]] == ["k1", "k2", "k3"]
    assert second["next"] is None
    assert (await client.delete("/messages")).json() == {"deleted": 3}
    assert (await client.get("/messages/count")).json() == {"messages": 0, "repeats": 0}


async def test_health_greets_by_smtp_and_metrics_count(sink: tuple[httpx.AsyncClient, int]) -> None:
    client, port = sink
    health = (await client.get("/health")).json()
    assert health["status"] == "healthy", health
    await asyncio.to_thread(send_by_smtp, port, "<1@x>", "a@example.org")
    assert 'mail_sink_accepted_total{channel="email"} 1.0' in (await client.get("/metrics")).text


async def test_a_mail_larger_than_the_bound_is_refused(sink: tuple[httpx.AsyncClient, int]) -> None:
    client, port = sink

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
            smtp.sendmail("s@x", ["r@x"], b"Subject: large\n\n" + b"x" * 300_000)

    with pytest.raises(smtplib.SMTPException):
        await asyncio.to_thread(send)
    assert (await client.get("/messages/count")).json()["messages"] == 0


async def test_a_refused_account_takes_nothing_by_either_way_also_after_a_restart(
    sink: tuple[httpx.AsyncClient, int], tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, port = sink
    monkeypatch.setattr(Stack, "host_port", lambda *_: ("127.0.0.1", port))
    assert await asyncio.to_thread(provider_answer, stack, 5.0) == "accepts"
    assert (await client.get("/account")).json() == {"refusal": ""}
    refusal = {"refusal": "451 4.7.1 over the limit"}
    assert (await client.put("/account", json=refusal)).status_code == 200
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="over the limit"):
        await asyncio.to_thread(send_by_smtp, port, "<1@x>", "a@example.org")
    assert await asyncio.to_thread(provider_answer, stack, 5.0) == refusal["refusal"]
    refused = await client.post("/webhook", json={"to": "a", "body": "b"})
    assert refused.status_code == 503 and "over the limit" in refused.text
    assert Account(tmp_path).refusal == refusal["refusal"]
    assert (await client.get("/health")).status_code == 200
    assert (await client.put("/account", json={"refusal": "250 OK"})).status_code == 422
    assert (await client.put("/account", json={"refusal": ""})).status_code == 200
    await asyncio.to_thread(send_by_smtp, port, "<1@x>", "a@example.org")
    assert (await client.get("/messages/count")).json() == {"messages": 1, "repeats": 0}
    assert Account(tmp_path).refusal == ""


def test_a_refusal_stays_where_the_disk_does_not_take_another_answer(tmp_path: Path) -> None:
    account = Account(tmp_path)
    account.set_refusal("451 4.7.1 over the limit")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            account.set_refusal("550 5.7.1 suspended")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert account.refusal == Account(tmp_path).refusal == "451 4.7.1 over the limit"
