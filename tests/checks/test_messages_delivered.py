"""Whether every accepted message was delivered once, over messages made up."""

from collections import Counter

import httpx
import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import checks
from lakeproof_shop.scenarios.notification_failure.checks import Kept, Notified, judge, strangers

AT = "2026-11-26T12:00:00.000000Z"


def told(number: str, status: str = "sent", reason: str | None = None, *, awaited: bool = False) -> Notified:
    return Notified(number, "email", status, reason, awaited)


def has(*numbers: str) -> Counter[str]:
    return Counter(f"<{number}@notification.lakeproof>" for number in numbers)


def test_what_is_with_the_provider_once_or_dropped_with_a_reason_passes() -> None:
    hook = Notified("3", "webhook", "sent", None, False)
    verdict = judge([told("1"), told("2", "dropped", "opted_out"), hook], ["1"], has("1") + Counter(["3"]))
    assert verdict.outcome is Outcome.PASSED
    assert "2 messages delivered" in verdict.summary and "1 opted_out" in verdict.summary


@pytest.mark.parametrize(
    ("found", "called_for", "kept", "words"),
    [
        ([told("1")], [], has(), "1 lost"),
        ([], ["1"], has(), "1 lost"),
        ([told("1", "failed", "550 no")], [], has(), "1 lost"),
        ([told("1", "failed", "451 later", awaited=True)], [], has(), "1 not sent yet"),
        ([told("1", "pending")], [], has(), "1 not sent yet"),
        ([told("1")], [], has("1", "1"), "1 delivered twice"),
        ([told("1", "dropped")], [], has(), "1 dropped without a reason"),
    ],
)
def test_what_is_missing_late_or_there_twice_fails(
    found: list[Notified], called_for: list[str], kept: Counter[str], words: str
) -> None:
    verdict = judge(found, called_for, kept)
    assert verdict.outcome is Outcome.FAILED
    assert words in verdict.summary and verdict.keys


@pytest.mark.parametrize(
    ("status", "attempts", "again", "twice"),
    [("sent", 1, 1, 1), ("sent", 2, 1, 0), ("sent", 2, 2, 1), ("sent", 1, 0, 0), ("failed", 1, 1, 0)],
)
def test_a_message_that_came_more_often_than_it_was_tried_was_sent_twice(
    status: str, attempts: int, again: int, twice: float
) -> None:
    """The provider keeps it as one, under its id; once that passed as delivered once."""
    one = Notified("1", "email", status, None, status == "failed", attempts)
    repeats = Counter({one.message_id: again})
    verdict = judge([one], ["1"], has("1"), repeats=repeats)
    assert (verdict.numbers["sent_twice"], verdict.numbers["repeats"]) == (twice, again)
    assert (verdict.outcome is Outcome.PASSED) == (status == "sent" and not twice)
    assert (f"by their id: {again}" in verdict.summary) == bool(again)


def test_every_page_of_the_providers_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    client = httpx.Client

    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params["after"])
        numbers = range(after + 1, min(after + 1000, 1500) + 1)
        page = [
            {"message_id": str(number), "channel": "webhook", "sender": "", "at": AT, "repeats": 0}
            for number in numbers
        ]
        return httpx.Response(200, json={"messages": page, "next": 1000 if after == 0 else None})

    monkeypatch.setattr(
        httpx, "Client", lambda **_: client(base_url="http://sink", transport=httpx.MockTransport(answer))
    )
    assert len(set(checks._messages("http://sink", Deadline(60)))) == 1500


def test_a_list_of_messages_without_an_end_could_not_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    client = httpx.Client

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"messages": [], "next": int(request.url.params["after"]) + 1})

    monkeypatch.setattr(
        httpx, "Client", lambda **_: client(base_url="http://sink", transport=httpx.MockTransport(answer))
    )
    with pytest.raises(CouldNotLook, match="has no end"):
        checks._messages("http://sink", Deadline(0.2))


def test_a_mail_of_the_shop_for_which_no_notification_stands_was_sent_beside_the_service() -> None:
    """Customers get it beside the service's own; once the check looked at the service's messages alone."""
    messages = [
        Kept("<1@notification.lakeproof>", from_shop=True, at=AT),
        Kept("<2@notification.lakeproof>", from_shop=True, at=AT),
        Kept("<3@office.lakeproof.example>", from_shop=True, at=AT),
        Kept("<4@office.lakeproof.example>", from_shop=True, at="2026-11-26T11:00:00.000000Z"),
        Kept("<5@alertmanager>", from_shop=False, at=AT),
    ]
    unknown = strangers(messages, {"<1@notification.lakeproof>"}, AT)
    assert unknown == {
        "2": "<2@notification.lakeproof>",
        "<3@office.lakeproof.example>": "<3@office.lakeproof.example>",
    }
    verdict = judge([told("1")], [], has("1"), beside=["<3@office.lakeproof.example>"])
    assert verdict.outcome is Outcome.FAILED
    assert "1 delivered twice" in verdict.summary


def test_without_postgresql_it_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> list[object]:
        raise ConnectionRefusedError

    monkeypatch.setattr(postgres_session, "select", away)
    context = CheckContext(stack, Deadline(5))
    before = Baseline(Verdict("", Outcome.PASSED, ""), {"at": "2026-11-26T12:00:00+00:00"})
    verdict = checks.MessagesDelivered(seconds=0.1).verify(context, before)
    assert verdict.outcome is Outcome.UNKNOWN
