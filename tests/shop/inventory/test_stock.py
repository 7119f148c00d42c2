"""The writer of one SKU: quick in a crowd, and never wrong about what became of a batch."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest
from tests.shop.inventory.ring_double import OneSku

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import Change, Decision, Op
from lakeproof_shop.services.inventory.stock import SkuWriter
from lakeproof_shop.serving.database.cassandra import Ring
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseDown


def writer_on(ring: OneSku) -> SkuWriter:
    return SkuWriter("sku-1", cast(Ring, ring), InventoryMetrics())


def change(op: Op, number: int, quantity: int = 1) -> Change:
    now = datetime.now(UTC)
    expires_at = None if op is Op.RECEIVE else now + timedelta(minutes=15)
    return Change(op, UUID(int=number), quantity, "digest", now, expires_at)


async def submit(writer: SkuWriter, *changes: Change, seconds: float = 5.0) -> list[Decision | BaseException]:
    return await asyncio.gather(*(writer.submit(each, Deadline(seconds)) for each in changes), return_exceptions=True)


def done(answers: list[Decision | BaseException]) -> list[str]:
    """For each answer: done, replayed, why it was refused, or the error's name."""
    return [
        type(each).__name__
        if isinstance(each, BaseException)
        else each.refused or ("replayed" if each.replayed else "done")
        for each in answers
    ]


async def test_a_thousand_buyers_of_a_hundred_units_get_a_hundred_in_few_batches() -> None:
    ring = OneSku()
    ring.now(1, 100, 0, 0, 0, 0)
    answers = done(await submit(writer_on(ring), *(change(Op.HOLD, number) for number in range(1, 1001))))
    assert answers.count("done") == 100
    assert answers.count("out_of_stock") == 900
    assert ring.totals[3] == 100
    assert ring.batches <= 4


async def test_two_instances_never_sell_the_same_unit() -> None:
    ring = OneSku()
    ring.now(1, 100, 0, 0, 0, 0)
    one, two = writer_on(ring), writer_on(ring)
    found = await asyncio.gather(
        submit(one, *(change(Op.HOLD, number) for number in range(1, 101))),
        submit(two, *(change(Op.HOLD, number) for number in range(101, 201))),
    )
    answers = done([*found[0], *found[1]])
    assert (answers.count("done"), answers.count("out_of_stock")) == (100, 100)
    assert ring.totals[3] == len(ring.lines) == 100


async def test_each_change_leaves_one_event_and_their_numbers_have_no_gap() -> None:
    ring = OneSku("apply", "lose_answer", "drop")
    writer = writer_on(ring)
    await submit(writer, change(Op.RECEIVE, 900, 10))
    await submit(writer, *(change(Op.HOLD, number) for number in range(1, 6)))
    await submit(writer, *(change(Op.CONFIRM, number) for number in range(1, 6)))
    assert ring.events == list(range(1, 12))


@pytest.mark.parametrize("fate", ["lose_answer", "drop", "late", "later", "down"])
async def test_a_batch_without_an_answer_is_done_once_whatever_became_of_it(fate: str) -> None:
    ring = OneSku(fate)
    ring.now(7, 10, 0, 0, 0, 0)
    answers = done(await submit(writer_on(ring), *(change(Op.HOLD, number, 2) for number in range(1, 4))))
    assert answers == ["done"] * 3
    assert (ring.totals[3], len(ring.lines)) == (6, 3)


@pytest.mark.parametrize("fate", ["lose_answer", "drop", "late", "later"])
async def test_nobody_is_refused_while_a_batch_without_an_answer_may_still_be_written(fate: str) -> None:
    ring = OneSku(fate)
    ring.now(7, 3, 0, 0, 0, 0)
    answers = done(await submit(writer_on(ring), *(change(Op.HOLD, number) for number in range(1, 6))))
    assert (answers.count("done"), answers.count("out_of_stock")) == (3, 2)
    ring.write_late()
    held = {number for number in range(1, 6) if UUID(int=number) in ring.lines}
    assert held == {number for number, answer in enumerate(answers, start=1) if answer == "done"}
    assert ring.totals[3] == 3


async def test_a_change_that_runs_out_of_time_after_a_lost_answer_is_unclear_not_undone() -> None:
    ring = OneSku(*["drop"] * 100)
    ring.now(1, 10, 0, 0, 0, 0)
    (answer,) = await submit(writer_on(ring), change(Op.HOLD, 1), seconds=0.3)
    assert isinstance(answer, CommitUnclear)


@pytest.mark.parametrize("share", [0.5, 0.97], ids=["short pauses", "a pause that begins just before the end"])
async def test_a_ring_that_takes_nothing_is_said_to_be_down_and_nothing_was_done(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """At 0.97 the fifth pause would begin at 0.291 s and last beyond the 0.6 s after which nobody waits."""
    monkeypatch.setattr("lakeproof_shop.services.inventory.stock.random.uniform", lambda low, high: share)
    ring = OneSku(*["down"] * 100)
    ring.now(1, 10, 0, 0, 0, 0)
    (answer,) = await submit(writer_on(ring), change(Op.HOLD, 1), seconds=0.3)
    assert isinstance(answer, DatabaseDown)
    assert not ring.lines


async def test_a_retry_gets_the_first_answer_and_holds_nothing_more() -> None:
    ring = OneSku()
    ring.now(1, 10, 0, 0, 0, 0)
    first, again = writer_on(ring), writer_on(ring)
    assert done(await submit(first, change(Op.HOLD, 1, 3))) == ["done"]
    assert done(await submit(again, change(Op.HOLD, 1, 3))) == ["replayed"]
    assert done(await submit(first, change(Op.HOLD, 1, 3), change(Op.HOLD, 1, 3))) == ["replayed", "replayed"]
    assert ring.totals[3] == 3


async def test_one_of_several_instances_counts_an_expiry() -> None:
    ring = OneSku()
    ring.now(1, 10, 0, 0, 0, 0)
    one, two = writer_on(ring), writer_on(ring)
    await submit(one, change(Op.HOLD, 1, 3))
    found = await asyncio.gather(submit(one, change(Op.EXPIRE, 1, 3)), submit(two, change(Op.EXPIRE, 1, 3)))
    assert sorted(done([*found[0], *found[1]])) == ["done", "replayed"]
    assert ring.totals[:5] == [ring.totals[0], 10, 0, 0, 0]


@pytest.mark.parametrize("op", [Op.CONFIRM, Op.RELEASE, Op.EXPIRE, Op.UNDO])
async def test_a_line_that_another_request_under_the_key_holds_is_not_ended_from_memory(op: Op) -> None:
    ring = OneSku()
    ring.now(1, 10, 0, 0, 0, 0)
    one, two = writer_on(ring), writer_on(ring)
    await submit(two, replace(change(Op.HOLD, 1, 5), digest="another request"))
    await submit(one, change(Op.HOLD, 2))  # from now on the first writer remembers the totals
    assert done(await submit(one, change(op, 1))) == ["key_reused"]
    assert ring.totals[1:5] == [10, 0, 6, 2]
    assert ring.lines[UUID(int=1)][:2] == ["held", 5]


async def test_no_is_never_said_from_memory() -> None:
    ring = OneSku()
    ring.now(1, 1, 0, 0, 0, 0)
    one, two = writer_on(ring), writer_on(ring)
    assert done(await submit(one, change(Op.HOLD, 1))) == ["done"]
    await submit(two, change(Op.RECEIVE, 900, 5))
    assert done(await submit(one, change(Op.HOLD, 2))) == ["done"]
