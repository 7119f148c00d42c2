"""The labels' store over a client that hangs, fails or refuses; and how the backlog is counted."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.shop.fulfillment.doubles import LABEL

from lakeproof_shop.services.fulfillment.backlog import Waiting, waiting_in_store
from lakeproof_shop.services.fulfillment.holds_by_hand import WaitingLabel
from lakeproof_shop.services.fulfillment.label import fulfillment_of
from lakeproof_shop.services.fulfillment.label_store import (
    LabelStore,
    ListedLabel,
    StoreDown,
    StoreRefused,
    parse_hold,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class FakeClient:
    """Every call does the same."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **_: self._answer()


def says(status: int, code: str) -> Callable[[], Any]:
    def answer() -> Any:
        raise ClientError(
            {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
            "Operation",
        )

    return answer


def unreachable() -> Any:
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


async def test_a_store_that_hangs_is_given_up() -> None:
    end = threading.Event()
    store = LabelStore(FakeClient(end.wait), 0.05)
    try:
        with pytest.raises(StoreDown, match=r"no answer within 0\.05 s"):
            await store.put_pending(LABEL, None, 0)
        with pytest.raises(StoreDown, match="no answer"):
            await store.ask()
    finally:
        end.set()
        store.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (unreachable, StoreDown),
        (says(503, "SlowDown"), StoreDown),
        (says(500, "InternalError"), StoreDown),
        (says(403, "AccessDenied"), StoreRefused),
        (says(404, "NoSuchBucket"), StoreRefused),
    ],
)
async def test_trouble_is_told_apart_by_what_helps(answer: Callable[[], Any], error: type[Exception]) -> None:
    store = LabelStore(FakeClient(answer), 5.0)
    with pytest.raises(error):
        await store.put_pending(LABEL, None, 0)
    store.close()


async def test_what_is_not_there_is_no_trouble() -> None:
    store = LabelStore(FakeClient(says(404, "NoSuchKey")), 5.0)
    assert await store.look_pending(LABEL) is None
    assert await store.is_ready(LABEL) is False
    await store.delete_pending(LABEL)
    store.close()


async def test_a_hold_counts_in_the_backlog_however_the_store_spells_its_name() -> None:
    store = LabelStore(FakeClient(lambda: {"Metadata": {"Hold-Until": "2026-11-24T12:00:00Z"}}), 5.0)
    assert await store.hold_of("chaos/fulfillment-delay/00001") == NOW
    store.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-24T12:00:00Z", NOW),
        ("2026-11-24T13:00:00+01:00", NOW),
        ("2026-11-24T12:00:00", NOW),  # the contract says UTC
        ("", None),
    ],
)
def test_a_hold_is_read_as_utc(text: str, found: datetime | None) -> None:
    assert parse_hold(text) == found


@pytest.mark.parametrize("text", ["tomorrow", "0001-01-01T00:00:00+14:00", "2026-13-01"])
def test_a_hold_that_is_no_time_keeps_the_label_where_it_is(text: str) -> None:
    with pytest.raises(StoreRefused, match="hold-until"):
        parse_hold(text)


@pytest.mark.parametrize(
    ("key", "found"),
    [("pending/12", 12), ("pending/x", None), ("ready/12", None), ("pending/٣", None), ("pending/" + "9" * 30, None)],
)
def test_a_key_tells_its_fulfillment(key: str, found: int | None) -> None:
    assert fulfillment_of(key) == WaitingLabel(key, None, True, "").fulfillment_id == found


def test_labels_of_others_count_with_their_hold() -> None:
    modified = NOW - timedelta(minutes=2)
    listed = [
        ListedLabel("pending/1", 100, "a", modified),
        ListedLabel("pending/2", 100, "b", modified),
        ListedLabel("chaos/fulfillment-delay/x-1", 50, "c", modified),
    ]
    holds = {"chaos/fulfillment-delay/x-1": NOW + timedelta(minutes=28)}
    assert waiting_in_store(listed, frozenset({"pending/1"}), holds, NOW) == Waiting(2, 150, 30 * 60.0)
