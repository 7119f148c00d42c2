"""Rows of a history beside the events that tell of them. No engine."""

import time
import uuid
from datetime import UTC, datetime

import pytest

from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims import reading_changes
from lakeproof_shop.proof.claims.facts import ChangesFact, Store
from lakeproof_shop.proof.claims.reading_changes import Left, change_of, compared, read_changes
from lakeproof_shop.proof.claims.reading_deliveries import Found
from lakeproof_shop.serving.event_delivery import message_of
from lakeproof_shop.serving.outbox import KEPT_SECONDS

NOW = 1_900_000_000.0


def test_a_row_that_neither_outbox_nor_topic_tells_of_is_untold() -> None:
    left = Left("payment", 9, {"1 payment.captured 2": 10.0, "1 payment.refunded 3": 20.0, "old": 1.0}, beyond=4)
    found = Found(frozenset({"1 payment.captured 2", "of nobody"}), kept_since=5.0)
    assert compared(left, found) == ChangesFact("payment", 9, 4, 1, ("1 payment.refunded 3",))


def test_a_change_is_read_from_a_message_of_an_outbox_and_others_are_passed_over() -> None:
    row = {
        **{"event_id": uuid.uuid4(), "aggregate": "payment", "aggregate_id": "7", "type": "payment.voided"},
        **{"trace_id": "", "payload": '{"version": 2}', "created_at": datetime(2026, 11, 24, tzinfo=UTC)},
    }
    assert change_of(message_of(row)) == "7 payment.voided 2"
    assert [change_of(value) for value in (None, b"", b"x", b"[]", b'{"aggregate_id": "7"}')] == [None] * 5


def test_without_the_topics_what_the_outbox_must_still_have_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def left(stack: Stack) -> list[Left]:
        return [Left("payment", 9, {"young": NOW - KEPT_SECONDS + 90.0, "old": NOW - KEPT_SECONDS})]

    monkeypatch.setattr(reading_changes, "_left", left)
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert read_changes(object.__new__(Stack), {Store.SHOP}) == (ChangesFact("payment", 9, 0, 1, ("young",)),)


def test_the_topics_are_asked_for_what_is_left_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def left(stack: Stack) -> list[Left]:
        return [Left("payment", 9, {}), Left("support", 2, {"7 case.closed 2": 9.0, "8 case.opened 1": 5.0})]

    asked: list[object] = []

    def look(stack: Stack, oldest: object, name_of: object) -> dict[str, Found]:
        asked.append(oldest)
        return {"support": Found(frozenset({"7 case.closed 2"}))}

    monkeypatch.setattr(reading_changes, "_left", left)
    monkeypatch.setattr(reading_changes, "look_in_topics", look)
    assert read_changes(object.__new__(Stack), {Store.SHOP, Store.EVENTS}) == (
        ChangesFact("payment", 9, 0, 0, ()),
        ChangesFact("support", 2, 0, 0, ("8 case.opened 1",)),
    )
    assert asked == [{"support": 5.0}]
