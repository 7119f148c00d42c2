"""Call a campaign off: what of it was not sent is dropped, with its reason."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.spread_campaign import SECONDS, Batch
from lakeproof.probes.notifications import SERVICE, batch_of, opted_out
from lakeproof.shop.notification.client import NotificationClient
from lakeproof.stack.stack import Stack


class StopCampaign(Arguments):
    """`batch`: its id; without one, the batch whose customers opt out."""

    batch: Batch = ""


def typed(stack: Stack, arguments: StopCampaign) -> str:
    """The service's own call."""
    return f"curl -X POST {stack.url(SERVICE)}/notifications/batches/{arguments.batch or 'ID'}/withdraw"


def run(stack: Stack, arguments: StopCampaign) -> str:
    """What was sent stays sent, and who opted out stays so.

    Raises: CouldNotLook, TransientError; TerminalError where nobody opts out of a campaign and none was named.
    """
    batch = arguments.batch or batch_of(opted_out(stack, SECONDS))
    if not batch:
        raise TerminalError(
            "no campaign that goes on has many opt-outs", where=SERVICE, next_action="name one: --arg batch=ID"
        )
    with NotificationClient(stack.url(SERVICE)) as calling:
        by_status = calling.withdraw(batch)["by_status"]
    told = ", ".join(f"{count} {status}" for status, count in by_status.items())
    return f"batch {batch} is called off: {told}"


MITIGATION = Mitigation("stop_campaign", "call a campaign off that customers opt out of", typed, run, StopCampaign)
