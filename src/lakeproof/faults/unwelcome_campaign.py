"""A campaign that nobody wants: it goes out to many, and those whom it has reached opt out one after the other."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field, model_validator

from lakeproof.arguments import Arguments
from lakeproof.errors import TransientError
from lakeproof.faults import campaigns
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.notifications import NONE, OPT_OUTS_MANY, opted_out
from lakeproof.services.database.rows import read_rows
from lakeproof.shop.notification.client import NotificationClient, probed_customer
from lakeproof.shop.notification.requests import MAX_BATCH
from lakeproof.stack.stack import Stack

SUBJECT = "Rehearsal: an unwelcome campaign"
TO_THE_FIRST = """
SELECT id::text FROM notification.notifications WHERE batch_id = $1::uuid AND customer_id <= $2::bigint
ORDER BY customer_id
"""
WHO_OPTED_OUT = """
SELECT DISTINCT customer_id FROM notification.preferences p JOIN notification.notifications n USING (customer_id)
WHERE n.subject = $1 AND p.opted_out <> '[]'
"""


class UnwelcomeCampaign(Arguments):
    """`recipients`: how many get the campaign, one after the other within `seconds`. `opt_outs`: how many, the first
    ones, get it at once and opt out.
    """

    recipients: int = Field(200, ge=1, le=MAX_BATCH)
    opt_outs: int = Field(40, gt=OPT_OUTS_MANY, le=MAX_BATCH)
    seconds: int = Field(600, ge=0, le=3600)

    @model_validator(mode="after")
    def _enough_recipients(self) -> Self:
        if self.recipients < self.opt_outs:
            raise ValueError("recipients: fewer than opt_outs")
        return self


def inject(stack: Stack, arguments: UnwelcomeCampaign) -> None:
    """Make the campaign unless it goes on, send it to the first customers, and have them opt out."""
    if campaigns.going_on(stack, SUBJECT):
        return
    first = probed_customer(datetime.now(UTC))
    with campaigns.client(stack) as calling:
        customers = range(first, first + arguments.recipients)
        batch = calling.create_batch(customers, SUBJECT, "marketing", arguments.seconds)
        unwilling = customers[: arguments.opt_outs]
        # Nobody opts out of a campaign that has not reached them.
        for (message,) in read_rows(stack, TO_THE_FIRST, batch, unwilling[-1], seconds=campaigns.SECONDS):
            _send(calling, message)
        for customer in unwilling:
            calling.opt_out(customer, "marketing")


def _send(calling: NotificationClient, message: str) -> None:
    """Send one message; safe where the service's own worker is just sending it. Raises: TransientError."""
    try:
        calling.send(message)
    except TransientError as error:
        if "being_sent" not in error.message:
            raise


def remove(stack: Stack, arguments: UnwelcomeCampaign) -> None:
    """Call the campaign off. Its customers are a rehearsal's own; they are set to want all messages again."""
    campaigns.withdraw(stack, SUBJECT)
    with campaigns.client(stack) as calling:
        for (customer,) in read_rows(stack, WHO_OPTED_OUT, SUBJECT, seconds=campaigns.SECONDS):
            calling.opt_out(int(customer))


def sign(stack: Stack, arguments: UnwelcomeCampaign) -> Sign:
    """The database has the opt-outs of a campaign that goes on."""
    seen = opted_out(stack, campaigns.SECONDS)
    return Sign(seen != NONE, f"campaigns whose customers opt out: {seen}")


FAULT = Fault(
    "unwelcome_campaign", "send a campaign whose customers opt out", inject, remove, sign, UnwelcomeCampaign
)
