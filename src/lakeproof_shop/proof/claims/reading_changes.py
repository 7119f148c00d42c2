"""Which changes nobody is told of: rows of the services' histories that have no event.

A service writes a row of its history (payment_events …) and an event into its outbox in one statement. The outbox
keeps an event until it was sent, and for a day after that; the topic keeps it longer. So each row has its event in
one of the two.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from lakeproof.stack.database_rows import rows_of
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import ChangesFact, Store
from lakeproof_shop.proof.claims.reading_deliveries import ASKED_AT_MOST, Found, look_in_topics
from lakeproof_shop.serving.outbox import KEPT_SECONDS

# The clocks of the database and of this machine may differ by this much.
LATER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class History:
    """A service's table of changes. of: the column with the changed row's id. event: its events' types begin so."""

    service: str
    table: str
    of: str
    event: str


HISTORIES = (
    History("payment", "payment_events", "payment_id", "payment."),
    History("fulfillment", "fulfillment_events", "fulfillment_id", "status."),
    History("support", "case_events", "case_id", "case."),
)
_ROWS = "SELECT count(*) FROM {table}"
_NOT_IN_OUTBOX = """
SELECT e.{of}::text || ' ' || '{event}' || e.type || ' ' || e.version,
       EXTRACT(EPOCH FROM e.at)::float8, count(*) OVER () AS of_all
FROM {table} e
WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.aggregate_id = e.{of}::text AND o.type = '{event}' || e.type
                                         AND o.payload ->> 'version' = e.version::text)
ORDER BY e.id DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Left:
    """The rows of a service's history that have no event in its outbox (any more).

    rows: how many rows the history has. written: name of such a row → when it was written, in seconds since 1970.
    beyond: how many more of them there are than were read.
    """

    service: str
    rows: int
    written: Mapping[str, float]
    beyond: int = 0


def read_changes(stack: Stack, there: Collection[Store]) -> tuple[ChangesFact, ...]:
    """Each service's history, with the rows that neither its outbox nor its topic tells of. Raises: CouldNotLook."""
    left = _left(stack)
    oldest = {one.service: min(one.written.values()) for one in left if one.written}
    if Store.EVENTS in there:
        topics = look_in_topics(stack, oldest, change_of) if oldest else {}
    else:  # without the topics only what the outbox must still have can be judged
        since = time.time() - KEPT_SECONDS + LATER_SECONDS
        topics = {one.service: Found(frozenset(), since) for one in left}
    return tuple(compared(one, topics.get(one.service, Found(frozenset()))) for one in left)


def _left(stack: Stack) -> list[Left]:
    found = []
    for one in HISTORIES:
        names = {"table": one.table, "of": one.of, "event": one.event}
        rows = rows_of(stack, one.service, _NOT_IN_OUTBOX.format(**names), ASKED_AT_MOST)
        ((count,),) = rows_of(stack, one.service, _ROWS.format(**names))
        beyond = int(rows[0][2]) - len(rows) if rows else 0
        found.append(Left(one.service, int(count), {row[0]: row[1] for row in rows}, beyond))
    return found


def compared(left: Left, topic: Found) -> ChangesFact:
    """Compare the rows without an event in the outbox with the topic's events."""
    lacking = [name for name in left.written if name not in topic.ids]
    untold = tuple(name for name in lacking if left.written[name] >= topic.kept_since)
    return ChangesFact(left.service, left.rows, left.beyond, len(lacking) - len(untold), untold)


def change_of(value: bytes | None) -> str | None:
    """The change that a message reports, named as the rows are; None for somebody else's message."""
    try:
        told = orjson.loads(value or b"")
        return f"{told['aggregate_id']} {told['type']} {told['data']['version']}"
    except (ValueError, KeyError, TypeError):
        return None
