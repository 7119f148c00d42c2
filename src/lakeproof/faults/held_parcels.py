"""Parcels of customers are held back: somebody writes a late `hold-until` on their labels, in the store.

The fault takes labels that wait under pending/ for some seconds, because their buyers wished so. The service takes
the new hold over once the buyer's time is up, and the parcel stays where it is. So shoppers must buy meanwhile.
"""

from datetime import UTC, datetime, timedelta

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.shop.fulfillment.holds_by_hand import (
    MARGIN,
    WaitingLabel,
    labels_held_by_hand,
    let_go,
    store_told,
    waiting_labels,
    write_hold,
)
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

WAIT_SECONDS = 40.0


class HeldParcels(Arguments):
    """`count`: how many labels, at least, are held. `hold_minutes`: for how long, from now on."""

    count: int = Field(3, ge=1, le=200)
    hold_minutes: float = Field(30.0, ge=0.1, le=7 * 24 * 60)


def inject(stack: Stack, arguments: HeldParcels) -> None:
    """Hold the labels that wait; safe where enough are held. Raises: TerminalError for too few, TransientError."""
    client, deadline = s3_client(stack), Deadline(WAIT_SECONDS)
    with store_told():
        while True:
            now = datetime.now(UTC)
            until = now + timedelta(minutes=arguments.hold_minutes)
            for label in waiting_labels(client):
                if label.fulfillment_id is not None and _may_be_held(label, now, until):
                    write_hold(client, label, until)
            held = len(labels_held_by_hand(client))
            if held >= arguments.count:
                return
            if deadline.expired:
                raise TerminalError(
                    f"only {held} parcels waited within {WAIT_SECONDS:g} s",
                    where="pending/",
                    next_action="shoppers must buy at the checkout: lakeproof traffic --purchases 1",
                )
            deadline.pause(0.5)


def remove(stack: Stack, _: HeldParcels) -> None:
    """Take every such hold off the labels, and call off the holds that the service took over."""
    client = s3_client(stack)
    with store_told():
        for label in labels_held_by_hand(client):
            let_go(stack, client, label)


def sign(stack: Stack, _: HeldParcels) -> Sign:
    """Labels of parcels carry a hold that the service did not write."""
    with store_told():
        held = len(labels_held_by_hand(s3_client(stack)))
    return Sign(held > 0, f"{held} labels under pending/ carry a hold that the service did not write")


def _may_be_held(label: WaitingLabel, now: datetime, until: datetime) -> bool:
    """True for a label that waits some seconds more, and whose buyer wishes for no later time than the hold's."""
    return not label.by_hand and label.hold_until is not None and now + MARGIN < label.hold_until < until


FAULT = Fault(
    "held_parcels",
    "hold back parcels of customers: a late hold-until on their labels in the store",
    inject,
    remove,
    sign,
    HeldParcels,
)
