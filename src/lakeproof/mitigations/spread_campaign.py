"""Spread what waits of a campaign, so that no customer of it gets more than the limit allows."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

from pydantic import Field

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.probes.notifications import SERVICE, batch_of, turned_down
from lakeproof.services.database.rows import read_rows
from lakeproof.shop.notification.client import NotificationClient
from lakeproof.stack.stack import Stack

SECONDS = 5.0
# The share of the limit that the campaign may use: a customer gets other messages as well.
SHARE = 0.8
MOST_FOR_ONE = """
SELECT count(*) FROM notification.notifications WHERE batch_id = $1::uuid AND status = 'pending'
GROUP BY customer_id ORDER BY 1 DESC LIMIT 1
"""
Batch = Annotated[str, Field(pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]


class SpreadCampaign(Named):
    """`batch`: the campaign's id; without one, the batch of which the limiter turns the most messages down. `only`:
    the one batch that may be spread (named.py).
    """

    batch: Batch = ""


def typed(stack: Stack, arguments: SpreadCampaign) -> str:
    """The service's own call, as it would be made now; only its form where that is not known."""
    batch, seconds, after = arguments.batch or "ID", "SECONDS", "WINDOW"
    with suppress(CouldNotLook, TerminalError):
        batch, seconds, after = map(str, _plan(stack, arguments))
    body = f"-H 'content-type: application/json' -d '{{\"spread_seconds\": {seconds}, \"after_seconds\": {after}}}'"
    return f"curl -X POST {body} {stack.url(SERVICE)}/notifications/batches/{batch}/spread"


def run(stack: Stack, arguments: SpreadCampaign) -> str:
    """The campaign's next message goes out once the limit's window is over. Messages turned down stay dropped.

    Raises: CouldNotLook, TransientError; TerminalError where no campaign is turned down and none was named, or where
    another one is turned down than the proposal named.
    """
    batch, seconds, after = _plan(stack, arguments)
    with NotificationClient(stack.url(SERVICE)) as calling:
        left = int(calling.spread(batch, seconds, after)["by_status"].get("pending", 0))
    return f"batch {batch}: {left} messages that wait go out over {seconds} s, from {after} s from now on"


def hold(stack: Stack, arguments: SpreadCampaign) -> Mapping[str, str]:
    """The batch of which the limiter turns the most down now."""
    return {} if arguments.batch else hold_to_found(arguments, lambda: _found(stack))


def _found(stack: Stack) -> list[str]:
    batch = batch_of(turned_down(stack, SECONDS))
    return [batch] if batch else []


def _plan(stack: Stack, arguments: SpreadCampaign) -> tuple[str, int, int]:
    """The batch's id, then what spread_of gives. Raises: CouldNotLook, TerminalError as `run`."""
    batch = arguments.batch or named_one(arguments, _found(stack))
    if not batch:
        raise TerminalError(
            "the limiter turns down no campaign that goes on", where=SERVICE, next_action="name one: --arg batch=ID"
        )
    rows = read_rows(stack, MOST_FOR_ONE, batch, seconds=SECONDS)
    most = int(rows[0][0]) if rows else 0
    limits = stack.settings.notification
    return batch, *spread_of(most, limits.notification_rate_limit, limits.notification_rate_window_seconds)


def spread_of(most: int, limit: int, window: int) -> tuple[int, int]:
    """Seconds over which, and after which, `most` messages to one customer stay below `limit` in `window` seconds."""
    return math.ceil(most * window / (SHARE * limit)), window


MITIGATION = Mitigation(
    "spread_campaign", "spread what waits of a campaign over a longer time", typed, run, SpreadCampaign, hold=hold
)
