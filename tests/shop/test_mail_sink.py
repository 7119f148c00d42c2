"""The mail sink in one process: what was acknowledged is there after a restart, each message once, bounded."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from lakeproof.shop.mail_sink import log as sink_log
from lakeproof.shop.mail_sink.app import Place, create_app
from lakeproof.shop.mail_sink.log import MessageLog
from lakeproof.shop.mail_sink.messages import Message
from lakeproof.shop.mail_sink.smtp import read_mail
from lakeproof.stack.settings import ShopSettings


def mail(message_id: str, to: str = "a@example.org") -> Message:
    return Message("email", message_id, "shop@example.org", (to,), "Hello", "Text", "2026-11-24T00:00:00.000000Z")


@asynccontextmanager
async def opened(folder: Path, **bounds: int) -> AsyncIterator[MessageLog]:
    made = MessageLog(folder, **bounds)
    made.open()
    yield made
    await made.close()


async def test_what_was_accepted_is_there_after_a_restart_with_its_repeats(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        assert await log.accept(mail("<1@x>")) is True
        assert await log.accept(mail("<1@x>")) is False
    async with opened(tmp_path) as log:
        assert [(one.message_id, one.seq, one.repeats) for one in log.messages()] == [("<1@x>", 1, 1)]
        assert await log.accept(mail("<1@x>")) is False
        assert await log.accept(mail("<2@x>")) is True


async def test_racing_senders_of_one_message_keep_it_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        new = await asyncio.gather(*(log.accept(mail(f"<{number % 10}@x>")) for number in range(200)))
        assert sum(new) == 10
        assert log.count() == (10, 190)


async def test_a_torn_last_line_is_cut_off_and_rubbish_elsewhere_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.accept(mail("<1@x>"))
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"channel": "em')
    async with opened(tmp_path) as log:
        await log.accept(mail("<2@x>"))
        assert log.count() == (2, 0)
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    with pytest.raises(Exception, match="line 1 is not JSON"):
        MessageLog(tmp_path).open()


async def test_the_oldest_go_when_there_is_no_room_and_the_newest_are_still_recognised(tmp_path: Path) -> None:
    async with opened(tmp_path, per_segment=10) as log:
        for number in range(35):
            await log.accept(mail(f"<{number}@x>"))
        assert log.count()[0] <= 20
        assert log.counts.forgotten == 35 - log.count()[0]
        assert await log.accept(mail("<34@x>")) is False
        assert await log.accept(mail("<25@x>")) is False
        assert len(list(tmp_path.glob("*.jsonl"))) == 2


async def test_a_disk_that_takes_nothing_is_said_and_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with opened(tmp_path) as log:
        with monkeypatch.context() as patched:
            patched.setattr("os.fdatasync", full)
            with pytest.raises(OSError, match="No space left"):
                await log.accept(mail("<1@x>"))
            assert "No space left" in await log.disk_problem()
        assert await log.disk_problem() == ""
        assert log.count() == (0, 0)
        assert await log.accept(mail("<1@x>")) is True
    async with opened(tmp_path) as log:
        assert [one.seq for one in log.messages()] == [1]


async def test_a_disk_that_takes_no_further_file_is_said_and_the_sink_goes_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    async with opened(tmp_path, per_segment=2) as log, asyncio.timeout(10):
        for number in range(2):
            await log.accept(mail(f"<{number}@x>"))
        with monkeypatch.context() as patched:
            patched.setattr(sink_log, "Segment", full)
            with pytest.raises(OSError, match="No space left"):
                await log.accept(mail("<2@x>"))
        assert "No space left" in log.problem
        assert await log.accept(mail("<2@x>")) is True
        assert log.problem == ""
        assert log.count() == (3, 0)


async def test_more_than_may_wait_for_the_disk_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_log, "WAITING_MAX", 5)
    async with opened(tmp_path) as log:
        results = await asyncio.gather(*(log.accept(mail(f"<{n}@x>")) for n in range(9)), return_exceptions=True)
        assert sum(isinstance(one, sink_log.SinkFull) for one in results) == 4
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


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


def send_by_smtp(port: int, message_id: str, to: str) -> None:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"], one["Message-ID"] = "shop@example.org", to, "Grüße", message_id
    one.set_content("Your order is on its way.\nGrüße")
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
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
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as smtp:
            smtp.sendmail("s@x", ["r@x"], b"Subject: large\n\n" + b"x" * 300_000)

    with pytest.raises(smtplib.SMTPException):
        await asyncio.to_thread(send)
    assert (await client.get("/messages/count")).json()["messages"] == 0
