"""Which events were marked as sent, and whether Kafka's topics have them: by id, not by the sender's word.

The marked events are read first, and the topics' end offsets after that. So every marked event must be before them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.absent_kafka import quiet_reader
from lakeproof.stack.database_rows import READ_SECONDS, rows_of
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import EVENTS_KEPT_SECONDS, event_topic
from lakeproof_shop.proof.claims.facts import DeliveryFact, MissingEvent, Store
from lakeproof_shop.proof.claims.ring import ring_rows

OUTBOXES = ("payment", "fulfillment", "support", "notification")
STOCK = "inventory"
# At most this many events of each service are looked for, or a check would take longer the more was ever sent. The
# report counts the events beyond.
ASKED_AT_MOST = 100_000
ASK_SECONDS = 5.0
BATCH = 10_000
# Topics are read from this long before the oldest event's time: the clocks of database and sender may differ.
EARLIER_SECONDS = 60.0
_MARKED = """
SELECT event_id::text, EXTRACT(EPOCH FROM created_at)::float8 AS at, count(*) OVER () AS marked
FROM outbox WHERE sent_at IS NOT NULL ORDER BY id DESC LIMIT $1
"""
_SENT = "SELECT DISTINCT sku, sent FROM inventory.stock"
_OF_STOCK = "SELECT sku, n, id, WRITETIME(op) FROM inventory.stock WHERE kind = 'event' AND {where} ALLOW FILTERING"
_BEGINS = b'{"event_id":"'
_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Marked:
    """A service's events that are marked as sent. written: event id → when it was written, in seconds since 1970.

    beyond: how many more are marked and were not read. gaps: as `gaps_in` gives them.
    """

    service: str
    written: Mapping[str, float]
    beyond: int = 0
    gaps: tuple[str, ...] = ()


def read_deliveries(stack: Stack, there: Collection[Store], seed: int) -> tuple[DeliveryFact, ...]:
    """For each service, which events that are marked as sent its topic does not have. Where there are too many
    events, the newest are asked for; of inventory's, those of some SKUs by the seed. Raises: CouldNotLook.
    """
    marked: list[Marked] = []
    if Store.SHOP in there:
        marked += _marked_in_outboxes(stack)
    if Store.STOCK in there:
        marked.append(_marked_in_stock(stack, seed))
    oldest = {one.service: min(one.written.values()) for one in marked if one.written}
    return compared(marked, look_in_topics(stack, oldest, event_id_of))


def _marked_in_outboxes(stack: Stack) -> list[Marked]:
    found = []
    for service in OUTBOXES:
        rows = rows_of(stack, service, _MARKED, ASKED_AT_MOST)
        beyond = int(rows[0][2]) - len(rows) if rows else 0
        found.append(Marked(service, {row[0]: row[1] for row in rows}, beyond))
    return found


def _marked_in_stock(stack: Stack, seed: int) -> Marked:
    start = (seed * 0x9E3779B97F4A7C15) % (1 << 64) - (1 << 63)  # a token: somewhere in the ring
    with ring_rows(stack) as rows:
        sent = {sku: int(upto or 0) for sku, upto in rows(_SENT)}
        # From `start` on around the ring; the second part is read only where the first did not give enough.
        parts = (rows(_OF_STOCK.format(where=f"token(sku) {side} {start}")) for side in (">=", "<"))
        every = (row for row in chain.from_iterable(parts) if row[1] <= sent.get(row[0], 0))
        some = list(islice(every, ASKED_AT_MOST))
    written = {str(row[2]): row[3] / 1e6 for row in some}
    # Events older than a week have expired from the ring while `sent` still counts them. So `beyond` is an upper
    # bound, and 0 where all were read.
    beyond = max(0, sum(sent.values()) - len(written)) if len(written) == ASKED_AT_MOST else 0
    return Marked(STOCK, written, beyond, () if beyond else gaps_in(((row[0], row[1]) for row in some), sent))


def gaps_in(numbered: Iterable[tuple[str, int]], sent: Mapping[str, int]) -> tuple[str, ...]:
    """The events that are gone too early, as "SKU event NUMBER". Events expire in the order of their numbers, so none
    may be missing between a SKU's oldest event that is there and the newest that was sent.
    """
    there: defaultdict[str, set[int]] = defaultdict(set)
    for sku, number in numbered:
        there[sku].add(number)
    return tuple(
        f"{sku} event {number}"
        for sku, numbers in sorted(there.items())
        for number in range(min(numbers), sent[sku] + 1)
        if number not in numbers
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The ids, or other names, of the messages that a topic has.

    kept_since: seconds since 1970; older messages may have been deleted from the topic.
    """

    ids: frozenset[str]
    kept_since: float = 0.0


def compared(marked: Iterable[Marked], found: Mapping[str, Found]) -> tuple[DeliveryFact, ...]:
    """The marked events compared with the topics, by service. A topic that does not exist has no event."""
    facts = []
    for one in marked:
        topic = found.get(one.service, Found(frozenset()))
        lacking = [event_id for event_id in one.written if event_id not in topic.ids]
        missing = [event_id for event_id in lacking if one.written[event_id] >= topic.kept_since]
        facts.append(
            DeliveryFact(
                *(one.service, len(one.written) - len(lacking) + len(missing), one.beyond),
                gone=len(lacking) - len(missing),
                missing=tuple(MissingEvent(one.service, event_id) for event_id in missing),
                gaps=one.gaps,
            )
        )
    return tuple(facts)


def look_in_topics(
    stack: Stack, oldest: Mapping[str, float], name_of: Callable[[bytes | None], str | None]
) -> dict[str, Found]:
    """Service → the messages in its topic. name_of: gives a message's name from its value; None: leave it out.

    oldest: service → from when on its topic is read, in seconds since 1970. Raises: CouldNotLook.
    """
    asked = {event_topic(service): service for service in oldest}
    settings = quiet_reader(stack.address("kafka", "tcp"), "lakeproof-check")
    settings["isolation.level"] = "read_uncommitted"
    deadline = Deadline(READ_SECONDS)
    try:
        with closing(Consumer(settings)) as consumer:
            known = consumer.list_topics(timeout=ASK_SECONDS).topics
            spans = [
                _span(consumer, topic, number, oldest[service])
                for topic, service in asked.items()
                if topic in known
                for number in known[topic].partitions
            ]
            ids: dict[str, set[str]] = {topic: set() for topic in asked}
            first: dict[tuple[str, int], float] = {}
            for message in _messages(consumer, spans, deadline):
                topic = message.topic() or ""
                first.setdefault((topic, message.partition() or 0), message.timestamp()[1] / 1000)
                if (name := name_of(message.value())) is not None:
                    ids[topic].add(name)
    except KafkaException as error:
        raise CouldNotLook(f"events' topics are not read: {error}", where=Store.EVENTS.value) from error
    since = kept_since(spans, first, time.time())  # now, after the topics were read: none of it expired later
    return {
        service: Found(frozenset(ids[topic]), since.get(topic, 0.0))
        for topic, service in asked.items()
        if topic in known
    }


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets [start, end) that are read of a partition. lost_its_start: records before `start` are deleted."""

    topic: str
    number: int
    start: int
    end: int
    lost_its_start: bool


def kept_since(spans: Iterable[Span], first: Mapping[tuple[str, int], float], now: float) -> dict[str, float]:
    """Topic → since when it has kept its events, in seconds since 1970; only topics that lost a partition's start.

    first: partition → when its first remaining record was sent; empty partitions are not in it. A missing event that
    is younger than the topics' retention is never excused: it was not deleted for its age.
    """
    expired = now - EVENTS_KEPT_SECONDS
    since: dict[str, float] = {}
    for one in spans:
        if one.lost_its_start:
            at = min(first.get((one.topic, one.number), expired), expired)
            since[one.topic] = max(since.get(one.topic, 0.0), at)
    return since


def _span(consumer: Consumer, topic: str, number: int, oldest: float) -> Span:
    """Raises: KafkaException."""
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ASK_SECONDS)
    at = TopicPartition(topic, number, round((oldest - EARLIER_SECONDS) * 1000))
    (first,) = consumer.offsets_for_times([at], timeout=ASK_SECONDS)
    start = first.offset if first.offset >= 0 else high  # no record is that young
    return Span(topic, number, max(start, low), high, low > 0 and start <= low)


def _messages(consumer: Consumer, spans: list[Span], deadline: Deadline) -> Iterator[Message]:
    """Every record of the spans. Raises: CouldNotLook where they are not read in time, KafkaException."""
    left = {(one.topic, one.number): one.end - one.start for one in spans if one.end > one.start}
    ends = {(one.topic, one.number): one.end for one in spans}
    consumer.assign([TopicPartition(one.topic, one.number, one.start) for one in spans if one.end > one.start])
    while total := sum(left.values()):
        if deadline.expired:
            raise CouldNotLook(f"{total} events were not read within {READ_SECONDS:g} s", where=Store.EVENTS.value)
        # `consume` waits until it has as many messages as it was asked for, so ask for no more than are left.
        for message in consumer.consume(min(total, BATCH), timeout=min(1.0, max(deadline.left, 0.1))):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            place = message.topic() or "", message.partition() or 0
            offset = message.offset() or 0
            if offset >= ends[place]:
                left[place] = 0
                continue
            left[place] = ends[place] - offset - 1
            yield message


def event_id_of(value: bytes | None) -> str | None:
    """The event id of an outbox's message (services/event_delivery.py); None for somebody else's message."""
    if value is None:
        return None
    if value.startswith(_BEGINS):  # as every outbox writes it: to read a hundred thousand as JSON takes a second more
        return value[len(_BEGINS) : len(_BEGINS) + _ID_LENGTH].decode(errors="replace")
    try:
        return str(orjson.loads(value)["event_id"])
    except (ValueError, KeyError, TypeError):
        return None
