"""Campaigns of a rehearsal: batches to customers whom nobody else has, known again by their subject.

Such campaigns are found in the database and not remembered, so that a crash forgets none.
"""

from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure.event_shapes import SERVICE
from lakeproof_shop.services.notification.client import NotificationClient

SECONDS = 5.0
GOING_ON = """
SELECT batch_id::text, count(*) FROM notification.notifications
WHERE subject = $1 AND batch_id IS NOT NULL AND due_at IS NOT NULL GROUP BY 1
"""


def client(stack: Stack) -> NotificationClient:
    """A client of the stack's own notification service."""
    return NotificationClient(stack.url(SERVICE))


def going_on(stack: Stack, subject: str) -> dict[str, int]:
    """Batch → how many of its messages wait. Raises: CouldNotLook."""
    return {str(batch): int(count) for batch, count in read_rows(stack, GOING_ON, subject, seconds=SECONDS)}


def withdraw(stack: Stack, subject: str) -> None:
    """Call off the campaigns that go on under that subject. Raises: CouldNotLook, TransientError."""
    batches = going_on(stack, subject)
    if batches:
        with client(stack) as calling:
            for batch in batches:
                calling.withdraw(batch)
