"""A question about events that customers are not told of: did their sender change their shape?

The notification service notes which events it could not read, and the senders keep their events for a day
(services/outbox.py). Each unread event is compared with the newest event of the same type that could be read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.stack import Stack

SERVICE, NONE = "notification-service", "none"
# The services of PostgreSQL whose events are told to customers (shop/notification/incoming.py).
SENDERS = ("payment", "fulfillment", "support")
LOOK_BACK = timedelta(minutes=1)
_DROPPED = "c.dropped IN ('invalid_payload', 'unsupported_topic')"
UNREAD = f"""
SELECT o.type, o.event_id::text, o.payload
FROM notification.consumed_events c JOIN {{sender}}.outbox o USING (event_id)
WHERE {_DROPPED} AND c.at > $1
"""
# Of one day: the table holds eight days, and counting all of them may take longer than a statement may.
UNREAD_BEFORE = f"""
SELECT count(*) FROM notification.consumed_events c
WHERE {_DROPPED} AND c.at <= $1 AND c.at > $1 - interval '1 day'
"""
LAST_READ = """
SELECT o.payload FROM {sender}.outbox o JOIN notification.consumed_events c USING (event_id)
WHERE o.type = $1 AND c.dropped IS NULL ORDER BY o.id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Reshaped:
    """Events of one sender and type in another shape. lacks: the keys that are gone. has: the new keys. ids: the
    events that nobody was told of.
    """

    sender: str
    type: str
    lacks: tuple[str, ...]
    has: tuple[str, ...]
    ids: tuple[str, ...]

    @property
    def change(self) -> tuple[object, ...]:
        """What the sender changed; events of other types with the same change have the same value."""
        return self.sender, self.lacks, self.has

    @property
    def is_plain(self) -> bool:
        """True where one new key stands for the one that is gone."""
        return (len(self.lacks), len(self.has)) == (1, 1)

    def __str__(self) -> str:
        instead = f" and have {', '.join(self.has)}" if self.has else ""
        return f"{self.sender}: {len(self.ids)} {self.type} lack {', '.join(self.lacks)}{instead}"


def reshaped(stack: Stack, timeout: float, since: datetime) -> list[Reshaped]:
    """The events that could not be read since then and lack a key of those that could. Raises: CouldNotLook."""
    found = []
    for sender in SENDERS:
        unread = read_rows(stack, UNREAD.format(sender=sender), since, seconds=timeout)
        usual = {
            one: rows[0][0]
            for one in {row[0] for row in unread}
            if (rows := read_rows(stack, LAST_READ.format(sender=sender), one, seconds=timeout))
        }
        found += compared(sender, unread, usual)
    return found


def unread_before(stack: Stack, timeout: float, end: datetime) -> int:
    """How many events of the day before `end` could not be read, whatever their shape. Raises: CouldNotLook."""
    return int(read_rows(stack, UNREAD_BEFORE, end, seconds=timeout)[0][0])


def compared(
    sender: str, unread: Iterable[tuple[Any, ...]], usual: Mapping[str, Mapping[str, Any]]
) -> list[Reshaped]:
    """unread: type, id and data of each event. usual: event type → the data of one that could be read."""
    ids: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for type_, event_id, data in unread:
        if type_ in usual and (lacks := sorted(usual[type_].keys() - data.keys())):
            ids[type_, tuple(lacks), tuple(sorted(data.keys() - usual[type_].keys()))].append(event_id)
    return [Reshaped(sender, *shape, tuple(each)) for shape, each in ids.items()]


def event_shapes(stack: Stack, timeout: float) -> Value:
    """NONE, or what events of the last minute lack. Raises: CouldNotLook."""
    return "; ".join(map(str, reshaped(stack, timeout, datetime.now(UTC) - LOOK_BACK))) or NONE


PROBES = (
    Probe(
        "event-shapes",
        "postgres",
        "keys of events that could not be read in the last minute, and of the last of their type that was",
        "",
        event_shapes,
        Condition(Operator.IS, NONE),
        about=(SERVICE,),
        within=SERVICE,
        steady=True,
    ),
)
