"""What is read of notifications: the share of failures, their reasons; and the provider's account is set."""

import socket
import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeproof.errors import CouldNotLook, TransientError
from lakeproof.stack import postgres_session
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import faults, repairs
from lakeproof_shop.scenarios.notification_failure import probes as notifications


@pytest.mark.parametrize(
    ("found", "share"), [([({}, 33.333)], 33.3), ([({}, float("nan"))], 0.0), ([], 0.0), ([({}, 100.0)], 100.0)]
)
def test_the_share_of_failures_is_none_where_nothing_was_tried(
    found: list[Any], share: float, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "instant", lambda *_: found)
    assert notifications.failure_share(stack, 1.0) == share


def test_failures_are_told_by_channel_and_reason(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("email", "451 4.7.1 over the limit", 12), ("webhook", "answered 503", 1)]
    monkeypatch.setattr(postgres_session, "select", lambda *_, **__: rows)
    assert notifications.reasons(stack, 1.0) == "email: 451 4.7.1 over the limit: 12; webhook: answered 503: 1"
    monkeypatch.setattr(postgres_session, "select", lambda *_, **__: [])
    assert notifications.reasons(stack, 1.0) == "none"

    def away(*_: object, **__: object) -> list[object]:
        raise ConnectionRefusedError

    monkeypatch.setattr(postgres_session, "select", away)
    with pytest.raises(CouldNotLook):
        notifications.reasons(stack, 1.0)


def test_drops_and_the_limiters_errors_are_told_by_their_label(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [({"reason": "opted_out"}, 2.0), ({"reason": "rate_limited"}, 11.9), ({"reason": "invalid_payload"}, 2.0)]
    monkeypatch.setattr(notifications, "instant", lambda *_: found)
    told = notifications.counted(stack, 1.0, notifications.DROPS)
    assert told == "rate_limited: 12; invalid_payload: 2; opted_out: 2"
    monkeypatch.setattr(notifications, "instant", lambda *_: [])
    assert notifications.counted(stack, 1.0, notifications.LIMITER_ERRORS) == "none"


def opt_outs(*sent: tuple[str, range, int | None], opted_out_at: int = 10) -> list[tuple[str, int]]:
    """What the query gives where each batch has those customers, and was sent to them then; None: it still waits.

    Customers 1 to 25 opt out. One more message of each batch waits. SQLite knows no intervals and no casts: whether
    the text runs in PostgreSQL is for the drill to show.
    """
    session = sqlite3.connect(":memory:")
    session.execute("ATTACH ':memory:' AS notification")
    session.execute("CREATE TABLE notification.notifications (customer_id, batch_id, due_at, sent_at)")
    session.execute("CREATE TABLE notification.preferences (customer_id, opted_out, updated_at)")
    for batch, customers, sent_at in sent:
        rows = [(one, batch, 99 if sent_at is None else None, sent_at) for one in customers]
        session.executemany(
            "INSERT INTO notification.notifications VALUES (?, ?, ?, ?)", [*rows, (0, batch, 99, None)]
        )
    choices = [(one, '["marketing/email"]', opted_out_at) for one in range(1, 26)]
    session.executemany("INSERT INTO notification.preferences VALUES (?, ?, ?)", choices)
    asked = notifications.OPTED_OUT.replace("::text", "").replace("now() - interval '15 minutes'", "0")
    return session.execute(asked).fetchall()


@pytest.mark.parametrize("sent_at", [None, 11], ids=["not sent yet", "sent after they had opted out"])
def test_a_larger_campaign_that_reached_nobody_before_they_opted_out_is_not_blamed(sent_at: int | None) -> None:
    unwelcome = ("unwelcome", range(1, 41), 5)
    assert opt_outs(unwelcome, ("innocent", range(1, 401), sent_at)) == [("unwelcome", 25)]
    assert opt_outs(("innocent", range(1, 401), sent_at)) == []


def test_two_campaigns_that_reached_the_same_customers_are_both_told_and_none_is_the_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = opt_outs(("one", range(1, 41), 5), ("other", range(1, 401), 6), ("less", range(1, 23), 5))
    monkeypatch.setattr(notifications, "read_rows", lambda *_, **__: rows)
    told = notifications.opted_out(stack, 1.0)
    assert told == "one and other: 25 opted out"
    assert notifications.batch_of(told) == ""


def test_fault_and_repair_set_the_account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def put(url: str, *, json: dict[str, str], **_: object) -> httpx.Response:
        asked.append((url.rsplit("/", 1)[1], json["refusal"]))
        return httpx.Response(200, request=httpx.Request("PUT", url))

    monkeypatch.setattr(httpx, "put", put)
    faults.RefusedMail().inject(stack)
    repairs.AcceptMail().run(stack)
    faults.RefusedMail().remove(stack)
    assert asked == [("account", "451 4.7.1 this account is over its limit"), ("account", ""), ("account", "")]
    assert "/account" in repairs.AcceptMail().typed(stack)


def test_without_the_provider_the_repair_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "put", away)
    with pytest.raises(TransientError, match="lakeproof up mail-sink"):
        repairs.AcceptMail().run(stack)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [("accepts", False), ("451 4.7.1 this account is over its limit", True), ("451 4.7.1 of before", False)],
)
def test_the_fault_shows_in_the_providers_own_words(
    answer: str, holds: bool, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "provider_answer", lambda *_: answer)
    assert faults.RefusedMail().sign(stack).holds is holds


@pytest.mark.parametrize(
    ("refused", "told"), [("shop@lakeproof.example", "550 no such sender here"), ("somebody@else.example", "accepts")]
)
def test_the_provider_is_asked_about_the_sender_that_the_shop_has(
    refused: str, told: str, tmp_path: Path, listener: socket.socket
) -> None:
    """A mail server may accept one sender and refuse the next."""

    def serve() -> None:
        connection, _ = listener.accept()
        sender = ""
        with connection, connection.makefile("rw", newline="\r\n") as session:
            print("220 here", file=session, flush=True)
            for line in session:
                if line.startswith("mail"):
                    sender = line.strip()
                answer = "221 bye" if line.startswith("QUIT") else "250 fine"
                if line.startswith("rcpt") and refused in sender:
                    answer = "550 no such sender here"
                print(answer, file=session, flush=True)

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"mail-sink": {"smtp": f"127.0.0.1:{port}"}}))
    assert notifications.provider_answer(stack, 3.0) == told
