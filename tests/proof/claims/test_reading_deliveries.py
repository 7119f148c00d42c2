"""What counts as sent beside what the topics have. No engine."""

import uuid
from datetime import UTC, datetime

from lakeproof.stack.topics import EVENT_TOPICS
from lakeproof_shop.proof.claims.facts import DeliveryFact, MissingEvent
from lakeproof_shop.proof.claims.reading_deliveries import (
    Found,
    Marked,
    Span,
    compared,
    event_id_of,
    gaps_in,
    kept_since,
)
from lakeproof_shop.serving.event_delivery import message_of


def test_what_is_marked_and_not_in_the_topic_is_missing() -> None:
    marked = Marked("payment", {"a": 10.0, "b": 20.0, "c": 30.0}, beyond=4)
    found = {"payment": Found(frozenset({"a", "c", "of nobody"}))}
    assert compared([marked], found) == (DeliveryFact("payment", 3, 4, 0, (MissingEvent("payment", "b"),)),)


def test_a_topic_that_is_not_there_has_nothing() -> None:
    (fact,) = compared([Marked("payment", {"a": 10.0})], {})
    assert (fact.asked, fact.missing) == (1, (MissingEvent("payment", "a"),))


def test_what_is_older_than_the_topic_keeps_is_counted_and_not_missing() -> None:
    marked = Marked("payment", {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0})
    (fact,) = compared([marked], {"payment": Found(frozenset({"a", "d"}), kept_since=25.0)})
    assert (fact.asked, fact.gone, fact.missing) == (3, 1, (MissingEvent("payment", "c"),))


NOW = 1_900_000_000.0
(EXPIRED,) = {NOW - int(topic.config["retention.ms"]) / 1000 for topic in EVENT_TOPICS}


def test_only_what_is_older_than_the_retention_may_be_gone_whatever_a_partition_has_lost() -> None:
    whole, cut_off, emptied = Span("a", 0, 0, 9, False), Span("a", 1, 5, 9, True), Span("a", 2, 9, 9, True)
    first = {("a", 0): NOW - 50.0, ("a", 1): NOW - 60.0}
    assert kept_since([whole], first, NOW) == {}
    assert kept_since([whole, cut_off], first, NOW) == {"a": EXPIRED}
    assert kept_since([whole, emptied], first, NOW) == {"a": EXPIRED}


def test_what_is_left_of_a_time_before_the_retention_is_asked_for_too() -> None:
    left, more = Span("a", 0, 5, 9, True), Span("a", 1, 5, 9, True)
    first = {("a", 0): EXPIRED - 60.0, ("a", 1): EXPIRED - 90.0}
    assert kept_since([left, more], first, NOW) == {"a": EXPIRED - 60.0}


def test_a_fresh_event_that_was_deleted_is_missing_beside_an_old_one_that_is_gone() -> None:
    since = kept_since([Span("events.payment", 0, 9, 9, True)], {}, NOW)["events.payment"]
    marked = Marked("payment", {"old": EXPIRED - 1.0, "fresh": NOW - 60.0})
    (fact,) = compared([marked], {"payment": Found(frozenset(), since)})
    assert (fact.gone, fact.missing) == (1, (MissingEvent("payment", "fresh"),))


def test_an_events_id_is_read_from_a_message_of_an_outbox_and_from_any_other_order_of_it() -> None:
    event_id = uuid.uuid4()
    row = {
        **{"event_id": event_id, "aggregate": "payment", "aggregate_id": "7", "type": "t", "trace_id": ""},
        **{"payload": "{}", "created_at": datetime(2026, 11, 24, tzinfo=UTC)},
    }
    assert event_id_of(message_of(row)) == str(event_id)
    assert event_id_of(b'{"type":"t","event_id":"e"}') == "e"
    assert [event_id_of(value) for value in (None, b"", b"{}", b"[1]", b"7", b"\xff")] == [None] * 6


def test_an_event_of_a_sku_that_is_gone_between_older_and_newer_ones_is_a_gap() -> None:
    """Deleted behind inventory's back it left no trace: neither missing in the topic nor counted."""
    numbered = [("a", 3), ("a", 5), ("b", 1), ("b", 2)]  # 1 and 2 of a have expired
    assert gaps_in(numbered, {"a": 6, "b": 2, "c": 4}) == ("a event 4", "a event 6")
    (fact,) = compared([Marked("inventory", {}, gaps=("a event 4",))], {})
    assert fact.gaps == ("a event 4",)
