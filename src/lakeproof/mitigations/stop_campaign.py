"""Call a campaign off: what of it was not sent is dropped, with its reason."""

from collections.abc import Mapping

from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.mitigations.spread_campaign import SECONDS, Batch
from lakeproof.probes.notifications import NONE, SERVICE, batch_of, opted_out
from lakeproof.shop.notification.client import NotificationClient
from lakeproof.stack.stack import Stack


class StopCampaign(Named):
    """`batch`: the campaign's id; without one, the campaign that customers opt out of. `only`: as in named.py."""

    batch: Batch = ""


def typed(stack: Stack, arguments: StopCampaign) -> str:
    """The service's own call."""
    batch = arguments.batch or arguments.only or "ID"
    return f"curl -X POST {stack.url(SERVICE)}/notifications/batches/{batch}/withdraw"


def run(stack: Stack, arguments: StopCampaign) -> str:
    """Messages that were sent stay sent, and customers who opted out stay so.

    Raises: CouldNotLook, TransientError; TerminalError where none was named and customers opt out of no campaign, or
    of several equally, or of another one than the proposal named.
    """
    batch = arguments.batch or named_one(arguments, _found(stack))
    if not batch:
        raise TerminalError(
            "no campaign that goes on has many opt-outs", where=SERVICE, next_action="name one: --arg batch=ID"
        )
    with NotificationClient(stack.url(SERVICE)) as calling:
        by_status = calling.withdraw(batch)["by_status"]
    told = ", ".join(f"{count} {status}" for status, count in by_status.items())
    return f"batch {batch} is called off: {told}"


def hold(stack: Stack, arguments: StopCampaign) -> Mapping[str, str]:
    """The batch of which customers opt out now."""
    return {} if arguments.batch else hold_to_found(arguments, lambda: _found(stack))


def _found(stack: Stack) -> list[str]:
    """Raises: CouldNotLook; TerminalError where nobody can tell which of several campaigns customers opt out of."""
    seen = opted_out(stack, SECONDS)
    if seen == NONE:
        return []
    batch = batch_of(seen)
    if not batch:
        raise TerminalError(
            f"several campaigns had reached the same number of customers who then opted out ({seen})",
            where=SERVICE,
            next_action="look which of them is wrong, and name it: --arg batch=ID",
        )
    return [batch]


MITIGATION = Mitigation(
    "stop_campaign", "call a campaign off that customers opt out of", typed, run, StopCampaign, hold=hold
)
