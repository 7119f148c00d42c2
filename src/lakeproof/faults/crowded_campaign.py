"""A campaign sends one customer more messages than the limit allows: the limiter turns the rest down."""

from datetime import UTC, datetime

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults import campaigns
from lakeproof.faults.fault import Fault, Sign
from lakeproof.shop.notification.client import probed_customer
from lakeproof.shop.notification.requests import MAX_BATCH
from lakeproof.stack.stack import Stack

SUBJECT = "Rehearsal: a crowded campaign"


class CrowdedCampaign(Arguments):
    """`messages`: how many one customer gets, spread over `seconds`. The service's own limit is 60 in 60 s."""

    messages: int = Field(150, ge=1, le=MAX_BATCH)
    seconds: int = Field(60, ge=0, le=3600)


def inject(stack: Stack, arguments: CrowdedCampaign) -> None:
    """Make the campaign, unless one goes on."""
    if not campaigns.going_on(stack, SUBJECT):
        customer = probed_customer(datetime.now(UTC))
        with campaigns.client(stack) as calling:
            calling.create_batch([customer] * arguments.messages, SUBJECT, "marketing", arguments.seconds)


def remove(stack: Stack, arguments: CrowdedCampaign) -> None:
    """Call the campaign off; messages that were sent stay sent."""
    campaigns.withdraw(stack, SUBJECT)


def sign(stack: Stack, arguments: CrowdedCampaign) -> Sign:
    """The campaign goes on, and more of its messages wait than the limit lets pass."""
    waits, limit = (
        sum(campaigns.going_on(stack, SUBJECT).values()),
        stack.settings.notification.notification_rate_limit,
    )
    return Sign(waits > limit, f"{waits} messages of a campaign wait for one customer, who gets {limit} in a window")


FAULT = Fault(
    "crowded_campaign", "send one customer more than the limit allows", inject, remove, sign, CrowdedCampaign
)
