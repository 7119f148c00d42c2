"""What is read of notifications: the share of failures, their reasons; and the provider's account is set."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeproof.arguments import Arguments, parse_arguments
from lakeproof.errors import CouldNotLook, InvalidInput, TransientError
from lakeproof.faults import refused_mail
from lakeproof.faults.refused_mail import RefusedMail
from lakeproof.mitigations import accept_mail
from lakeproof.probes import notifications
from lakeproof.stack import postgres_session
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


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


def test_fault_and_repair_set_the_account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def put(url: str, *, json: dict[str, str], **_: object) -> httpx.Response:
        asked.append((url.rsplit("/", 1)[1], json["refusal"]))
        return httpx.Response(200, request=httpx.Request("PUT", url))

    monkeypatch.setattr(httpx, "put", put)
    refused_mail.inject(stack, RefusedMail())
    accept_mail.run(stack, Arguments())
    refused_mail.remove(stack, RefusedMail())
    assert asked == [("account", "451 4.7.1 this account is over its limit"), ("account", ""), ("account", "")]
    assert "/account" in accept_mail.typed(stack, Arguments())


def test_without_the_provider_the_repair_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "put", away)
    with pytest.raises(TransientError, match="lakeproof up mail-sink"):
        accept_mail.run(stack, Arguments())


@pytest.mark.parametrize(
    ("answer", "holds"),
    [("accepts", False), ("451 4.7.1 this account is over its limit", True), ("451 4.7.1 of before", False)],
)
def test_the_fault_shows_in_the_providers_own_words(
    answer: str, holds: bool, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_mail, "provider_answer", lambda *_: answer)
    assert refused_mail.sign(stack, RefusedMail()).holds is holds


def test_only_a_refusal_is_a_refusal() -> None:
    with pytest.raises(InvalidInput):
        parse_arguments(RefusedMail, {"answer": "250 OK"}, "refused_mail")
