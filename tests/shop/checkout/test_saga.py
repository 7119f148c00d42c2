"""The saga over a store and steps of the test's own: once begun, nothing that goes wrong is told as "not done"."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.metrics import CheckoutMetrics
from lakeproof_shop.services.checkout.models import Checkout, Step
from lakeproof_shop.services.checkout.saga import Saga
from lakeproof_shop.services.checkout.services import NoClearWord, ServiceRefused
from lakeproof_shop.services.checkout.steps import Steps
from lakeproof_shop.services.checkout.store import CheckoutStore, HoldLost
from lakeproof_shop.services.checkout.sweeper import Sweeper
from lakeproof_shop.serving.database.errors import DatabaseDown, TooBusy

AT = datetime(2026, 11, 24, tzinfo=UTC)
BEGUN = Checkout("k", "d", {}, Step.RESERVE, None, None, None, None, False, None, 0, "t", AT, AT)


class Row(CheckoutStore):
    """One checkout in memory; `fails` is raised by the next change."""

    def __init__(self) -> None:
        self.now, self.fails, self.let = BEGUN, list[Exception](), 0
        self.alone: list[str] = []

    def _maybe_fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def advance(self, checkout: Checkout, owner: str, step: Step, deadline: Deadline, **more: Any) -> Checkout:
        self._maybe_fail()
        self.now = replace(self.now, step=step, refusal=more.get("refusal") or self.now.refusal)
        return self.now

    async def let_go(self, checkout: Checkout, owner: str, seconds: float, deadline: Deadline) -> Checkout:
        self._maybe_fail()
        self.let += 1
        return self.now

    async def left_alone(self, limit: int, deadline: Deadline) -> list[str]:
        return self.alone

    async def hold(self, key: str, deadline: Deadline) -> tuple[Checkout, str] | None:
        return replace(self.now, key=key), "me"

    async def open_by_step(self, deadline: Deadline) -> dict[str, tuple[int, float]]:
        return {}


class Doers(Steps):
    """Every step is done, but those that `goes_wrong` names."""

    done: list[str]
    goes_wrong: dict[str, Exception]

    async def do(self, checkout: Checkout, deadline: Deadline) -> dict[str, Any]:
        if checkout.step.value in self.goes_wrong:
            raise self.goes_wrong[checkout.step.value]
        self.done.append(checkout.step.value)
        return {}


def doers(**goes_wrong: Exception) -> Doers:
    made = object.__new__(Doers)
    object.__setattr__(made, "done", [])
    object.__setattr__(made, "goes_wrong", goes_wrong)
    return made


def metrics() -> CheckoutMetrics:
    return CheckoutMetrics(CollectorRegistry())


async def test_a_purchase_goes_through_its_steps_in_order() -> None:
    row, steps = Row(), doers()
    ended = await Saga(row, steps, metrics()).run(BEGUN, "me", Deadline(60))
    assert ended.step is Step.DONE
    assert steps.done == ["reserve", "order", "authorize", "confirm", "capture", "pay", "label", "notify"]


async def test_a_refusal_turns_it_round() -> None:
    row, steps = Row(), doers(authorize=ServiceRefused("card_declined", "no"))
    ended = await Saga(row, steps, metrics()).run(BEGUN, "me", Deadline(60))
    assert (ended.step, ended.refusal) == (Step.FAILED, ("card_declined", "no"))
    assert steps.done == ["reserve", "order", "void", "release", "cancel"]


BOUGHT = replace(BEGUN, step=Step.DONE)
CANCEL = ["recall", "refund", "restock", "withdraw"]
RETURN = ["take_back", "repay", "put_back", "return"]


@pytest.mark.parametrize(("way", "end"), [(CANCEL, Step.CANCELLED), (RETURN, Step.RETURNED)])
async def test_what_was_bought_is_undone_step_by_step(way: list[str], end: Step) -> None:
    row, steps = Row(), doers()
    ended = await Saga(row, steps, metrics()).run(replace(BOUGHT, step=Step(way[0])), "me", Deadline(60))
    assert (ended.step, steps.done) == (end, way)


@pytest.mark.parametrize("way", [CANCEL, RETURN])
async def test_a_parcel_that_is_not_there_for_it_leaves_the_purchase_as_it_was(way: list[str]) -> None:
    row, steps = Row(), doers(**{way[0]: ServiceRefused("not_allowed", "it is shipped")})
    ended = await Saga(row, steps, metrics()).run(replace(BOUGHT, step=Step(way[0])), "me", Deadline(60))
    assert (ended.step, ended.refusal, steps.done) == (Step.DONE, ("not_allowed", "it is shipped"), [])


@pytest.mark.parametrize("step", [*CANCEL[1:], *RETURN[1:]])
async def test_once_the_parcel_is_stopped_or_back_no_refusal_keeps_the_money(step: str) -> None:
    row, steps = Row(), doers(**{step: ServiceRefused("not_found", "gone")})
    ended = await Saga(row, steps, metrics()).run(replace(BOUGHT, step=Step(step)), "me", Deadline(60))
    assert (row.let, steps.done, ended.step is Step.DONE) == (1, [], False)


async def test_no_clear_word_is_no_refusal_and_lets_it_go() -> None:
    row, steps = Row(), doers(authorize=NoClearWord("timeout"))
    ended = await Saga(row, steps, metrics()).run(BEGUN, "me", Deadline(60))
    assert (ended.step, row.let) == (Step.AUTHORIZE, 1)


async def test_a_refusal_once_the_money_is_taken_does_not_turn_it_round() -> None:
    row, steps = Row(), doers(pay=ServiceRefused("not_found", "gone"))
    ended = await Saga(row, steps, metrics()).run(BEGUN, "me", Deadline(60))
    assert (ended.step, row.let) == (Step.PAY, 1)


@pytest.mark.parametrize("trouble", [DatabaseDown("lost"), TooBusy("full"), HoldLost("another")])
async def test_trouble_with_the_database_after_the_beginning_is_answered_by_what_was_last_known(
    trouble: Exception,
) -> None:
    row = Row()
    row.fails = [trouble]
    last = await Saga(row, doers(), metrics()).run(BEGUN, "me", Deadline(60))
    assert last.step is Step.RESERVE


@pytest.mark.parametrize("trouble", [DatabaseDown("lost"), HoldLost("another")])
async def test_a_checkout_that_cannot_even_be_let_go_is_answered_too(trouble: Exception) -> None:
    row = Row()
    row.fails = [trouble]
    last = await Saga(row, doers(reserve=NoClearWord("timeout")), metrics()).run(BEGUN, "me", Deadline(60))
    assert last.step is Step.RESERVE


async def test_past_its_time_nothing_is_begun() -> None:
    steps = doers()
    last = await Saga(Row(), steps, metrics()).run(BEGUN, "me", Deadline(0))
    assert (last.step, steps.done) == (Step.RESERVE, [])


async def test_one_that_nobody_foresaw_does_not_end_the_sweeping_of_the_others() -> None:
    row = Row()
    row.alone = ["bad", "good"]
    seen: list[str] = []

    class Tripping(Saga):
        async def run(self, checkout: Checkout, owner: str, deadline: Deadline) -> Checkout:
            seen.append(checkout.key)
            if checkout.key == "bad":
                raise ZeroDivisionError("nobody foresaw it")
            return checkout

    counted = metrics()
    sweeper = Sweeper(row, Tripping(row, doers(), counted), counted, pause_seconds=1, work_seconds=5)
    assert await sweeper.sweep() == 2
    assert sorted(seen) == ["bad", "good"]
