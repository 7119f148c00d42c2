"""A wrong fix: let each customer have as many messages as anybody sends. The limiter turns nothing down any more, and
a campaign goes to its customer all at once. Where it is the provider that refuses, nothing is mended at all.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.probes.notifications import SERVICE
from lakeproof.processes.environment import MESSAGE_LIMIT
from lakeproof.wrong_fixes.handed_setting import handed_setting


class RaiseMessageLimit(Arguments):
    """`messages`: the new notification_rate_limit of the notification service, more than any customer gets."""

    messages: int = Field(1_000_000, ge=1, le=1_000_000)


WRONG_STEP = handed_setting(
    "raise_message_limit",
    "let each customer have any number of messages (mends nothing)",
    SERVICE,
    MESSAGE_LIMIT,
    RaiseMessageLimit,
    "{service} lets a customer have {value} messages in a window",
)
