"""Holds on labels that the service did not write: seen, made, taken off; over a store and a service made up."""

import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError
from tests.shop.fulfillment.store_double import FakeService, FakeStore

from lakeproof.errors import CouldNotLook, TerminalError, TransientError
from lakeproof.probes import exporters
from lakeproof.stack.engines import minio
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import faults, repairs
from lakeproof_shop.scenarios.fulfillment_delay import probes as labels
from lakeproof_shop.scenarios.fulfillment_delay.repairs import ReleaseLabels
from lakeproof_shop.services.fulfillment import holds_by_hand
from lakeproof_shop.serving.times import iso

CHAOS = "chaos/fulfillment-delay/00001"


def ahead(seconds: float) -> str:
    return iso(datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore()
    for module in (faults, repairs):
        monkeypatch.setattr(module, "s3_client", lambda stack: made)
    monkeypatch.setattr(minio, "client", lambda stack, timeout: made)
    return made


@pytest.fixture
def service(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    made, client = FakeService(store), httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: client(transport=httpx.MockTransport(made.answer)))
    return made


def test_only_labels_that_wait_long_enough_for_their_buyers_are_held(stack: Stack, store: FakeStore) -> None:
    store.put("pending/1", hold_version="0", hold_until=ahead(15))
    store.put("pending/2", hold_version="0", hold_until=ahead(1))  # the service may move it at this moment
    store.put("pending/3", hold_version="0")
    store.put(CHAOS, hold_until=ahead(900))
    assert not faults.HeldParcels().sign(stack).holds
    faults.HeldParcels(count=1).inject(stack)
    held = [label.key for label in holds_by_hand.waiting_labels(store) if label.is_held_by_hand(datetime.now(UTC))]
    assert held == [CHAOS, "pending/1"]
    body, metadata = store.objects["pending/1"]
    assert hashlib.sha256(body).hexdigest() == metadata["sha256"] and "hold-version" not in metadata
    assert faults.HeldParcels().sign(stack).holds
    assert labels.held(stack, 1.0) == 2
    before = dict(store.objects)
    faults.HeldParcels(count=1).inject(stack)
    assert store.objects == before


def test_without_a_parcel_that_waits_the_fault_says_what_is_missing(
    stack: Stack, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "WAIT_SECONDS", 0.1)
    with pytest.raises(TerminalError, match="only 0 parcels waited"):
        faults.HeldParcels().inject(stack)


def test_a_hold_that_the_service_took_over_is_called_off_and_the_label_compared(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    until = ahead(1800)
    store.put("pending/1", hold_until=until)
    service.held[1] = until
    store.put("pending/2", hold_until=until)
    service.held[2] = ahead(10)  # its buyer's own wish, which is not over yet
    store.put("pending/3", hold_version="0", hold_until=ahead(10))
    store.put(CHAOS, hold_until=until)
    told = repairs.ReleaseLabels().run(stack)
    assert told.startswith("1 labels are under ready/, byte for byte; 1 wait") and "1 of a rehearsal" in told
    assert {*store.objects} == {"ready/1", "pending/2", "pending/3"}
    assert service.held[2] is not None and "hold-until" not in store.objects["pending/2"][1]
    assert "hold-until" in store.objects["pending/3"][1]
    assert repairs.ReleaseLabels().run(stack).startswith("0 labels")


def test_a_label_whose_hold_the_service_did_not_call_off_yet_stays_held_until_it_did(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    until = ahead(1800)
    store.put("pending/1", hold_until=until)
    service.held[1] = until
    service.away = True
    for _ in range(2):  # cut off twice, it forgets nothing
        with pytest.raises(TransientError):
            repairs.ReleaseLabels().run(stack)
        assert "hold-until" not in store.objects["pending/1"][1]
        assert faults.HeldParcels().sign(stack).holds and labels.held(stack, 1.0) == 1
    service.away = False
    assert repairs.ReleaseLabels().run(stack).startswith("1 labels are under ready/")
    assert {*store.objects} == {"ready/1"} and service.held[1] is None


def test_a_label_that_waits_for_its_buyer_is_held_by_nobody_else_once_it_was_let_go(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    store.put("pending/1", hold_until=ahead(1800))
    service.held[1] = ahead(60)
    store.put("pending/2", hold_until=ahead(1800))
    service.held[2] = ahead(1)  # the service may move it at this moment: nobody writes on it
    faults.HeldParcels().remove(stack)
    assert [*store.objects["pending/1"][1]] == ["sha256"]
    assert [*store.objects["pending/2"][1]] == ["sha256", "was-held-until"]


def proposed(stack: Stack) -> ReleaseLabels:
    return ReleaseLabels.model_validate(ReleaseLabels().hold(stack))


def test_a_parcel_that_somebody_holds_after_the_proposal_stays_held_and_is_named(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    """What is shipped does not come back: it may be one that customs or a suspicion of fraud holds."""
    until = ahead(1800)
    for number in (1, 12):
        store.put(f"pending/{number}", hold_until=until)
        service.held[number] = until
    only = proposed(stack)
    assert only == ReleaseLabels(only="1,12")
    assert "ID: 1, 12;" in only.typed(stack)
    store.put("pending/2", hold_until=until)
    service.held[2] = until
    assert only.run(stack).endswith("; not touched, for it was not proposed: 2")
    assert {*store.objects} == {"ready/1", "ready/12", "pending/2"}
    assert "hold-until" in store.objects["pending/2"][1] and service.held[2] == until
    with pytest.raises(TerminalError, match="2 was not named when this was proposed"):
        only.run(stack)
    store.put(CHAOS, hold_until=until)
    assert "1 of a rehearsal are deleted; not touched" in only.run(stack)
    assert {*store.objects} == {"ready/1", "ready/12", "pending/2"}


def test_a_proposal_without_a_held_parcel_lets_none_go_that_comes_later(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    only = proposed(stack)
    assert only == ReleaseLabels(only="") and "ID: none;" in only.typed(stack)
    assert only.run(stack).startswith("0 labels")
    store.put("pending/2", hold_until=ahead(1800))
    with pytest.raises(TerminalError, match="was not named"):
        only.run(stack)
    assert {*store.objects} == {"pending/2"}


def test_of_very_many_labels_some_are_proposed_and_few_are_listed(
    stack: Stack, store: FakeStore, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "MOST", 25)
    for number in range(100, 150):
        service.held[number] = ahead(1800)
        store.put(f"pending/{number}", hold_until=str(service.held[number]))
    only = proposed(stack)
    assert only.only is not None and only.only.count(",") == 24
    assert "118, 119, and 5 more;" in only.typed(stack)
    assert only.run(stack).endswith("143, 144, and 5 more")
    assert sum(key.startswith("ready/") for key in store.objects) == 25


def test_without_an_answer_of_the_store_no_label_is_proposed(
    stack: Stack, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: str) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(store, "paginate", away)
    with pytest.raises(TransientError):
        proposed(stack)


def test_a_label_of_other_bytes_is_not_let_go(stack: Stack, store: FakeStore, service: FakeService) -> None:
    until = ahead(1800)
    store.put("pending/1", hold_until=until)
    store.objects["pending/1"] = (b"something else", store.objects["pending/1"][1])
    service.held[1] = until
    with pytest.raises(TerminalError, match="1 are not as they were written: pending/1"):
        repairs.ReleaseLabels().run(stack)
    assert "hold-until" in store.objects["pending/1"][1]


def test_what_is_neither_a_parcels_label_nor_a_rehearsals_is_named_and_left(
    stack: Stack, store: FakeStore, service: FakeService
) -> None:
    until = ahead(1800)
    for key in ("pending/123.bak", "pending/old/7", CHAOS):
        store.put(key, hold_until=until)
    told = repairs.ReleaseLabels().run(stack)
    assert told.endswith(
        "1 of a rehearsal are deleted; left alone, for no parcel has them: 2 (pending/123.bak, pending/old/7)"
    )
    assert {*store.objects} == {"pending/123.bak", "pending/old/7"}
    assert "hold-until" in store.objects["pending/123.bak"][1]


def test_held_labels_behind_many_that_wait_are_not_told_as_none(
    stack: Stack, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MOST_LOOKED_AT", 3)
    for number in range(3):
        store.put(f"pending/{number}", hold_version="0")
    assert labels.held(stack, 1.0) == 0
    store.put("pending/9", hold_until=ahead(900))
    with pytest.raises(CouldNotLook, match="4 labels wait, and none of the 3 that were looked at is held"):
        labels.held(stack, 1.0)
    store.put(CHAOS, hold_until=ahead(900))
    assert labels.held(stack, 1.0) == 1


def test_a_fault_is_taken_out_as_well(stack: Stack, store: FakeStore, service: FakeService) -> None:
    until = ahead(1800)
    store.put("pending/1", hold_until=until)
    service.held[1] = until
    service.away = True
    with pytest.raises(TransientError, match="lakeproof up fulfillment-service"):
        faults.HeldParcels().remove(stack)
    service.away = False
    faults.HeldParcels().remove(stack)
    faults.HeldParcels().remove(stack)
    assert {*store.objects} == {"ready/1"}


def test_what_lies_where_is_told_by_prefix(stack: Stack, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("pending/1")
    store.put("ready/2")
    store.put("ready/3")
    assert labels.by_prefix(stack, 1.0) == (
        "pending/ 1 (0.0 kB), ready/ 2 (0.0 kB), chaos/fulfillment-delay/ 0 (0.0 kB)"
    )

    def away(**_: str) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(store, "paginate", away)
    with pytest.raises(CouldNotLook):
        labels.held(stack, 1.0)


def test_the_lag_is_what_the_service_tells(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# TYPE fulfillment_lag_minutes gauge\nfulfillment_lag_minutes 29.5\n"
    monkeypatch.setattr(exporters, "get", lambda url, timeout: httpx.Response(200, text=text))
    assert labels.lag(stack, 1.0) == 29.5
    monkeypatch.setattr(exporters, "get", lambda url, timeout: httpx.Response(503, text=""))
    with pytest.raises(CouldNotLook):
        labels.lag(stack, 1.0)
