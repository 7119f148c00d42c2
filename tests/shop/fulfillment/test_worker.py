"""The label worker over doubles: cut off at every call, before and after its effect, it still ends consistent."""

from typing import Any, cast

import pytest
from tests.shop.fulfillment.doubles import ADDRESS, ITEMS, LABEL, FakeLabels, FakeLeases, Fate, Killed, Stored, later

from lakeproof_shop.services.fulfillment.label import make_label
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.models import State
from lakeproof_shop.services.fulfillment.worker import LabelWorker

ALL_STEPS = [State.LABEL_PENDING, State.LABEL_READY, State.SHIPPED]
CHANGES = 6  # put, record, copy, record, delete, record


def a_worker(leases: FakeLeases, labels: FakeLabels) -> LabelWorker:
    return LabelWorker(cast(Any, leases), cast(Any, labels), FulfillmentMetrics(), look_seconds=0.01)


async def work(leases: FakeLeases, labels: FakeLabels, rounds: int = 3) -> None:
    for _ in range(rounds):
        await a_worker(leases, labels)._round()


async def test_a_request_becomes_a_label_that_is_shipped() -> None:
    leases, labels = FakeLeases(Fate()), FakeLabels(Fate())
    await work(leases, labels)
    assert (leases.events, set(labels.objects)) == (ALL_STEPS, {LABEL.ready_key})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, CHANGES + 1))
async def test_killed_at_any_call_it_ships_once(at: int, after: bool) -> None:
    fate = Fate(at, after)
    leases, labels = FakeLeases(fate), FakeLabels(fate)
    with pytest.raises(Killed):
        await work(leases, labels)
    leases.leased = False  # the lease ran out
    await work(leases, labels)
    assert (leases.events, leases.row.has_work, set(labels.objects)) == (ALL_STEPS, False, {LABEL.ready_key})


async def test_a_held_label_waits_under_pending_and_goes_when_the_hold_is_over() -> None:
    leases, labels = FakeLeases(Fate(), hold_until=later(30)), FakeLabels(Fate())
    await work(leases, labels)
    assert (leases.row.state, set(labels.objects)) == (State.LABEL_PENDING, {LABEL.pending_key})
    assert labels.objects[LABEL.pending_key].hold_until == later(30)
    leases.now = later(31)
    await work(leases, labels)
    assert (leases.row.state, set(labels.objects)) == (State.SHIPPED, {LABEL.ready_key})


async def test_a_hold_that_comes_while_the_label_is_copied_takes_the_copy_away() -> None:
    leases, labels = FakeLeases(Fate()), FakeLabels(Fate())
    copy = labels.copy_to_ready

    async def copy_and_be_overtaken(label: Any) -> None:
        await copy(label)
        leases.changed_by_caller(hold_until=later(30), hold_version=1)
        labels.copy_to_ready = copy  # type: ignore[method-assign]

    labels.copy_to_ready = copy_and_be_overtaken  # type: ignore[method-assign]
    await work(leases, labels)
    assert (leases.row.state, set(labels.objects)) == (State.LABEL_PENDING, {LABEL.pending_key})
    assert labels.objects[LABEL.pending_key].hold_until == later(30)


async def test_a_hold_that_somebody_wrote_on_the_label_counts() -> None:
    leases = FakeLeases(Fate(), State.LABEL_PENDING)
    labels = FakeLabels(Fate(), {LABEL.pending_key: Stored(LABEL.body, later(10), None)})
    await work(leases, labels)
    assert (leases.row.hold_until, leases.due_at, set(labels.objects)) == (later(10), later(10), {LABEL.pending_key})


async def test_an_older_hold_on_the_label_than_the_database_s_does_not_count() -> None:
    leases = FakeLeases(Fate(), State.LABEL_PENDING)
    leases.changed_by_caller(hold_until=None, hold_version=2)
    labels = FakeLabels(Fate(), {LABEL.pending_key: Stored(LABEL.body, later(10), 1)})
    await work(leases, labels)
    assert leases.row.state is State.SHIPPED


async def test_a_label_that_was_moved_by_hand_is_taken_as_it_is() -> None:
    leases = FakeLeases(Fate(), State.LABEL_PENDING)
    labels = FakeLabels(Fate(), {LABEL.ready_key: Stored(LABEL.body)})
    await work(leases, labels)
    assert (leases.row.state, set(labels.objects)) == (State.SHIPPED, {LABEL.ready_key})


@pytest.mark.parametrize("lost", [LABEL.pending_key, LABEL.ready_key])
async def test_a_label_that_somebody_deleted_is_written_again(lost: str) -> None:
    state = State.LABEL_PENDING if lost == LABEL.pending_key else State.LABEL_READY
    leases, labels = FakeLeases(Fate(), state), FakeLabels(Fate())
    await work(leases, labels)
    assert (leases.row.state, labels.objects[LABEL.ready_key].body) == (State.SHIPPED, LABEL.body)


async def test_another_file_in_the_label_s_place_is_not_shipped() -> None:
    leases = FakeLeases(Fate(), State.LABEL_READY)
    labels = FakeLabels(Fate(), {LABEL.ready_key: Stored(b"rubbish")})
    await work(leases, labels)
    assert labels.objects[LABEL.ready_key].body == LABEL.body


async def test_a_cancelled_parcel_leaves_no_label() -> None:
    leases, labels = FakeLeases(Fate(), hold_until=later(30)), FakeLabels(Fate())
    await work(leases, labels)
    leases.changed_by_caller(state=State.CANCELLED)
    labels.objects[LABEL.ready_key] = Stored(LABEL.body)
    await work(leases, labels)
    assert (labels.objects, leases.row.has_work) == ({}, False)


async def test_what_a_late_worker_left_under_pending_is_tidied() -> None:
    leases, labels = FakeLeases(Fate()), FakeLabels(Fate())
    await work(leases, labels)
    await labels.put_pending(LABEL, None, 0)
    await leases.look_again([7])
    await work(leases, labels)
    assert (set(labels.objects), leases.events, leases.row.has_work) == ({LABEL.ready_key}, ALL_STEPS, False)


def test_a_label_is_as_long_for_every_id() -> None:
    assert len({len(make_label(number, 17, ADDRESS, ITEMS).body) for number in (0, 1, 2**63 - 1)}) == 1
