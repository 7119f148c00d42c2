"""Which events were sent, and what the notification service did about them."""

from collections.abc import Collection

from lakeproof.stack.database_rows import rows_of
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import event_topic
from lakeproof_shop.proof.claims.facts import ACT_SECONDS, ACTS_WITHIN_SECONDS, ActFact
from lakeproof_shop.services.notification.incoming import TEMPLATES

# Orders' events come by change capture, whose result is compared with the lake. Without capture nobody is notified.
SOURCES = ("payment", "fulfillment", "support")
_SENT = """
SELECT event_id, type FROM outbox
WHERE (sent_at BETWEEN clock_timestamp() - $1::float8 * interval '1 second'
                   AND clock_timestamp() - $2::float8 * interval '1 second' AND type = ANY($3::text[])
       AND ($4::timestamptz IS NULL OR created_at >= $4)) OR event_id = ANY($5::uuid[])
"""
_SINCE = "SELECT topic, at FROM reading_since"
_CONSUMED = """
SELECT c.event_id, c.dropped, n.id IS NOT NULL AS notified
FROM consumed_events c LEFT JOIN notifications n ON n.id = c.event_id WHERE c.event_id = ANY($1::uuid[])
"""


def read_acts(stack: Stack, named: Collection[str] = ()) -> tuple[ActFact, ...]:
    """What the notification service did about the newest events that customers are notified about, and about `named`.

    Left out are events that were sent a moment ago, and events from before the service first read their topic.
    Raises: CouldNotLook.
    """
    since = {topic: at for topic, at in rows_of(stack, "notification", _SINCE)}
    told = [type_ for type_, template in TEMPLATES.items() if template is not None]
    sent = [
        row
        for service in SOURCES
        for row in rows_of(
            *(stack, service, _SENT, ACTS_WITHIN_SECONDS, ACT_SECONDS, told),
            *(since.get(event_topic(service)), sorted(named)),
        )
    ]
    rows = rows_of(stack, "notification", _CONSUMED, [event_id for event_id, _ in sent])
    consumed = {row[0]: (row[1], row[2]) for row in rows}
    return tuple(
        ActFact(str(event_id), type_, event_id in consumed, *consumed.get(event_id, (None, False)))
        for event_id, type_ in sent
    )
