"""What a person does to held labels in the store sends no parcel, and the undo sends every one of them."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.shop.fulfillment.doubles import LABEL, FakeLabels, FakeLeases, Fate, Stored, later
from tests.shop.fulfillment.store_double import FakeService, FakeStore
from tests.shop.fulfillment.test_worker import work

from lakeproof.errors import TransientError
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.scenarios.fulfillment_delay import faults, wrong_fixes
from lakeproof_shop.services.fulfillment.models import State
from lakeproof_shop.serving.times import iso

UNTIL = iso(datetime.now(UTC) + timedelta(minutes=30))
STEPS = [wrong_fixes.DeleteHeldLabels, wrong_fixes.MoveLabelsWithoutMetadata]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """Two labels that somebody held, one that a buyer keeps, one of a rehearsal."""
    made = FakeStore()
    for key in ("pending/1", "pending/2", "chaos/fulfillment-delay/00001"):
        made.put(key, hold_until=UNTIL)
    made.put("pending/3", hold_version="0", hold_until=UNTIL)
    for module in (wrong_fixes, faults):
        monkeypatch.setattr(module, "s3_client", lambda stack: made)
    return made


@pytest.fixture
def service(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """It has taken over both holds."""
    made, client = FakeService(store), httpx.Client
    made.held = {1: UNTIL, 2: UNTIL}
    monkeypatch.setattr(httpx, "Client", lambda **_: client(transport=httpx.MockTransport(made.answer)))
    held = lambda *_, **__: [(number,) for number, until in made.held.items() if until]  # noqa: E731
    monkeypatch.setattr(wrong_fixes, "read_rows", held)
    return made


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_only_what_somebody_held_is_touched_and_a_repeat_finds_nothing(
    step: type[WrongStep], stack: Stack, store: FakeStore
) -> None:
    assert step().run(stack).startswith("2 held labels")
    assert {key for key in store.objects if not key.startswith("ready/")} == {
        "pending/3",
        "chaos/fulfillment-delay/00001",
    }
    if step is STEPS[1]:
        assert store.objects["ready/1"] == (b"pending/1", {}), "the bytes without what was written on them"
    assert step().run(stack).startswith("0 held labels")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_the_fault_s_own_removal_finds_no_label_and_the_undo_sends_the_parcels(
    step: type[WrongStep], stack: Stack, store: FakeStore, service: FakeService
) -> None:
    step().run(stack)
    faults.HeldParcels().remove(stack)
    assert service.held == {1: UNTIL, 2: UNTIL}
    for _ in range(2):
        step().undo(stack)
    assert service.held == {1: None, 2: None}
    assert all("sha256" in store.objects[f"ready/{number}"][1] for number in (1, 2)), "the service's own label"


def test_a_parcel_whose_label_still_waits_is_left_to_the_fault_s_removal(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    wrong_fixes.DeleteHeldLabels().undo(stack)
    assert service.held == {1: UNTIL, 2: UNTIL} and "pending/1" in store.objects


def test_an_undo_that_the_service_does_not_answer_is_an_error_and_is_done_by_the_next(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    wrong_fixes.DeleteHeldLabels().run(stack)
    service.away = True
    with pytest.raises(TransientError, match="lakeproof up fulfillment-service"):
        wrong_fixes.DeleteHeldLabels().undo(stack)
    service.away = False
    wrong_fixes.DeleteHeldLabels().undo(stack)
    assert service.held == {1: None, 2: None}


def test_a_parcel_that_went_on_meanwhile_is_no_error(stack: Stack, store: FakeStore, service: FakeService) -> None:
    wrong_fixes.DeleteHeldLabels().run(stack)
    service.refuses = True
    wrong_fixes.DeleteHeldLabels().undo(stack)


@pytest.mark.parametrize("by_hand", [{}, {LABEL.ready_key: Stored(LABEL.body)}], ids=["deleted", "moved"])
async def test_the_worker_looks_at_no_parcel_whose_hold_it_took_over(by_hand: dict[str, Stored]) -> None:
    """This is why both fixes are wrong ones: of a hold that it did not take over yet they are a repair."""
    leases = FakeLeases(Fate(), State.LABEL_PENDING)
    labels = FakeLabels(Fate(), {LABEL.pending_key: Stored(LABEL.body, later(30), None)})
    await work(leases, labels)
    labels.objects = dict(by_hand)
    await work(leases, labels)
    assert (leases.row.state, leases.due_at, labels.objects) == (State.LABEL_PENDING, later(30), by_hand)
