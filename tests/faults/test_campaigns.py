"""Campaigns over the limit and unwelcome ones: made once, found again by their subject, spread or called off."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import pytest

from lakeproof.arguments import parse_arguments
from lakeproof.errors import InvalidInput, TerminalError, TransientError
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import campaigns, faults, repairs
from lakeproof_shop.scenarios.notification_failure import probes as notifications
from lakeproof_shop.scenarios.notification_failure.faults import UnwelcomeCampaign
from lakeproof_shop.scenarios.notification_failure.repairs import StopCampaign, spread_of

BATCH = "5a0c3f4e-0000-4000-8000-000000000001"


class Service:
    """The notification service and its database: `waiting` of one batch, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.subject, self.waiting, self.opted_out = "", 0, set[int]()
        self.customers: Sequence[int] = ()
        self.sent, self.sending = set[int](), set[int]()  # sending: by its own worker, at this moment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def create_batch(self, customers: Sequence[int], subject: str, topic: str, spread_seconds: int) -> str:
        self.asked.append(("create", len(set(customers)), topic, spread_seconds))
        self.subject, self.waiting, self.customers = subject, len(customers), customers
        return BATCH

    def send(self, message: str) -> dict[str, Any]:
        if int(message) in self.sending:
            raise TransientError('answered 409: {"error": {"code": "being_sent"}}')
        self.sent.add(int(message))
        return {}

    def opt_out(self, customer: int, *topics: str) -> None:
        (self.opted_out.add if topics else self.opted_out.discard)(customer)

    def withdraw(self, batch: str) -> dict[str, Any]:
        self.asked.append(("withdraw", batch))
        dropped, self.waiting = self.waiting, 0
        return {"by_status": {"sent": 7, "dropped": dropped}}

    def spread(self, batch: str, seconds: int, after: int) -> dict[str, Any]:
        self.asked.append(("spread", batch, seconds, after))
        return {"by_status": {"pending": self.waiting}}

    def read(self, stack: Stack, statement: str, *args: object, seconds: float) -> list[tuple[Any, ...]]:
        if statement == campaigns.GOING_ON:
            return [(BATCH, self.waiting)] if self.waiting and args == (self.subject,) else []
        if statement == faults.TO_THE_FIRST:
            return [(str(one),) for one in self.customers if one <= args[1]]  # type: ignore[operator]
        if statement == faults.WHO_OPTED_OUT:
            return [(one,) for one in sorted(self.opted_out)]
        return [(self.waiting,)]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    for module in (campaigns, faults, repairs):
        monkeypatch.setattr(module, "read_rows", made.read)
    for module in (campaigns, repairs, repairs):
        monkeypatch.setattr(module, "NotificationClient", lambda url: made)
    return made


def test_a_crowded_campaign_is_made_once_and_called_off(stack: Stack, service: Service) -> None:
    for _ in range(2):
        faults.CrowdedCampaign().inject(stack)
    assert service.asked == [("create", 1, "marketing", 60)]
    assert faults.CrowdedCampaign().sign(stack).holds
    service.waiting = 60  # as many as the limit lets pass
    assert not faults.CrowdedCampaign().sign(stack).holds
    for _ in range(2):
        faults.CrowdedCampaign().remove(stack)
    assert service.asked[1:] == [("withdraw", BATCH)]


def test_of_an_unwelcome_campaign_the_rehearsals_customers_want_all_again(stack: Stack, service: Service) -> None:
    for _ in range(2):
        faults.UnwelcomeCampaign().inject(stack)
    assert (service.asked, len(service.opted_out)) == ([("create", 200, "marketing", 600)], 40)
    for _ in range(2):
        faults.UnwelcomeCampaign().remove(stack)
    assert (service.waiting, service.opted_out) == (0, set())


def test_an_unwelcome_campaign_reaches_its_first_customers_before_they_opt_out(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opts out of a campaign that was not sent to them shows nothing against it."""
    first = 9_000_000_001
    monkeypatch.setattr(faults, "probed_customer", lambda at: first)
    service.sending = {first}
    sent_before: list[int] = []
    monkeypatch.setattr(service, "opt_out", lambda customer, *topics: sent_before.append(len(service.sent)))
    faults.UnwelcomeCampaign().inject(stack)
    assert service.sent == set(range(first + 1, first + 40))
    assert sent_before == [39] * 40


def test_an_unwelcome_campaign_that_cannot_be_sent_says_so(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(message: str) -> dict[str, Any]:
        raise TransientError("answered 502: the provider did not take it")

    monkeypatch.setattr(service, "send", refused)
    with pytest.raises(TransientError, match="502"):
        faults.UnwelcomeCampaign().inject(stack)


def test_fewer_recipients_than_opt_outs_are_no_such_fault() -> None:
    with pytest.raises(InvalidInput, match="recipients: fewer than opt_outs"):
        parse_arguments(UnwelcomeCampaign, {"recipients": 20}, "unwelcome_campaign")


def test_what_waits_is_spread_so_that_the_customer_with_the_most_stays_below_the_limit(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.waiting = 75
    monkeypatch.setattr(repairs, "turned_down", lambda *_: f"{BATCH}: 12 turned down")
    told = repairs.SpreadCampaign().typed(stack)
    assert '{"spread_seconds": 94, "after_seconds": 60}' in told and f"/batches/{BATCH}/spread" in told
    assert service.asked == []
    assert "75 messages" in repairs.SpreadCampaign().run(stack)
    assert service.asked == [("spread", BATCH, 94, 60)]
    for most, limit, window in ((75, 60, 60), (1, 60, 60), (500, 5, 10)):
        seconds, after = spread_of(most, limit, window)
        assert after == window and most * window / seconds < limit


def test_the_campaign_whose_customers_opt_out_is_called_off(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.waiting = 160
    monkeypatch.setattr(repairs, "opted_out", lambda *_: f"{BATCH}: 40 opted out")
    assert "7 sent, 160 dropped" in repairs.StopCampaign().run(stack)


def test_of_two_campaigns_that_reached_those_who_opted_out_none_is_called_off(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = BATCH.replace("1", "2")
    monkeypatch.setattr(repairs, "opted_out", lambda *_: f"{BATCH} and {other}: 40 opted out")
    assert repairs.StopCampaign().hold(stack) == {"only": ""}
    for arguments in (StopCampaign(), StopCampaign(only="")):
        with pytest.raises(TerminalError, match=f"{BATCH} and {other}.*batch=ID"):
            arguments.run(stack)
    assert service.asked == []


@pytest.mark.parametrize("step", [repairs.SpreadCampaign, repairs.StopCampaign])
def test_without_such_a_campaign_one_must_be_named(
    step: Any, stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for probe in ("turned_down", "opted_out"):
        monkeypatch.setattr(repairs, probe, lambda *_: "none", raising=False)
    assert "/batches/ID/" in step().typed(stack)
    with pytest.raises(TerminalError, match="batch=ID"):
        step().run(stack)
    step(batch=BATCH).run(stack)
    assert service.asked[-1][1] == BATCH
    with pytest.raises(InvalidInput):
        parse_arguments(step, {"batch": "x; rm"}, "step")


@pytest.mark.parametrize(
    ("ask", "words"), [(notifications.turned_down, "turned down"), (notifications.opted_out, "opted out")]
)
def test_a_campaign_is_told_by_its_id(
    ask: Callable[[Stack, float], object], words: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[tuple[str, int]] = [(BATCH, 12)]
    monkeypatch.setattr(notifications, "read_rows", lambda *_, **__: rows)
    told = ask(stack, 1.0)
    assert told == f"{BATCH}: 12 {words}"
    assert notifications.batch_of(str(told)) == BATCH
    rows.clear()
    assert ask(stack, 1.0) == "none"
    assert notifications.batch_of("none") == ""
