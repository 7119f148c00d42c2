"""Faults of the scenario fulfillment-delay."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.object_store import WRITABLE
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.store_folder import close, folder_of, open_again
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay.probes import ready_writes
from lakeproof_shop.services.fulfillment.holds_by_hand import (
    MARGIN,
    WaitingLabel,
    labels_held_by_hand,
    let_go,
    listed,
    store_told,
    waiting_labels,
    write_hold,
)
from lakeproof_shop.services.fulfillment.label import CHAOS, READY, make_label
from lakeproof_shop.services.fulfillment.label_store import HOLD_UNTIL
from lakeproof_shop.serving.times import iso

LOOK_SECONDS = 3.0


class ClosedFolder(Fault):
    """Have the object store refuse labels under ready/."""

    def inject(self, stack: Stack) -> None:
        """Close it. Raises: InvalidInput for somebody else's store, TerminalError where no label was ever ready."""
        our_processes(stack, "close a folder of the object store")
        close(folder_of(stack, LABEL_BUCKET, READY))

    def remove(self, stack: Stack) -> None:
        """Open the folder; safe where it is open."""
        open_again(folder_of(stack, LABEL_BUCKET, READY))

    def sign(self, stack: Stack) -> Sign:
        """The store refuses an object under ready/."""
        answer = ready_writes(stack, LOOK_SECONDS)
        return Sign(answer != WRITABLE, f"a PUT under {READY}: {answer}")


AT_ONCE = 8

_ADDRESS = {"name": "Rehearsal", "street": "1 Hold Road", "city": "Lake", "postal_code": "0", "country": "XX"}

_ITEMS = [{"sku": "rehearsal", "quantity": 1}]


class HeldLabels(Fault):
    """Hold labels back in the labels' bucket (a rehearsal's own).

    Labels that are held: under the rehearsal's prefix of the labels' bucket, with `hold-until` in the future.

    They count as backlog for every fulfillment service that looks at the bucket, and as late as their hold is long.
    No parcel of a customer is touched.

    `count` labels, held for `hold_minutes` from now on.
    """

    count: int = Field(25, ge=1, le=10_000)
    hold_minutes: float = Field(30.0, ge=0.1, le=7 * 24 * 60)

    def inject(self, stack: Stack) -> None:
        """Write the labels; those that are there are overwritten. Raises: TransientError, TerminalError."""
        client = s3_client(stack)
        held_until = iso(datetime.now(UTC) + timedelta(minutes=self.hold_minutes))

        def put(number: int) -> None:
            client.put_object(
                Bucket=LABEL_BUCKET,
                Key=f"{CHAOS}{number:05d}",
                Body=make_label(number, number, _ADDRESS, _ITEMS).body,
                ContentType="text/plain; charset=utf-8",
                Metadata={HOLD_UNTIL: held_until},
            )

        with store_told(), ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(put, range(1, self.count + 1)))

    def remove(self, stack: Stack) -> None:
        """Delete everything under the prefix. Raises: TransientError, TerminalError."""
        client = s3_client(stack)

        def delete(key: str) -> None:
            client.delete_object(Bucket=LABEL_BUCKET, Key=key)

        with store_told(), ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(delete, _listed(client).keys))

    def sign(self, stack: Stack) -> Sign:
        """At least `count` labels lie under the prefix."""
        found = len(held_labels(stack).keys)
        return Sign(found >= self.count, f"{found} labels are held under {CHAOS}")


@dataclass(frozen=True, slots=True)
class HeldObjects:
    """The objects under the prefix."""

    keys: tuple[str, ...]
    bytes: int


def held_labels(stack: Stack) -> HeldObjects:
    """List the objects. Raises: TransientError where the store does not answer, TerminalError where it refuses."""
    with store_told():
        return _listed(s3_client(stack))


def _listed(client: Any) -> HeldObjects:
    found = listed(client, CHAOS)
    return HeldObjects(tuple(key for key, _ in found), sum(size for _, size in found))


WAIT_SECONDS = 40.0


class HeldParcels(Fault):
    """Hold back parcels of customers: a late hold-until on their labels in the store.

    Parcels of customers are held back: somebody writes a late `hold-until` on their labels, in the store.

    The fault takes labels that wait under pending/ for some seconds, because their buyers wished so. The service
    takes the new hold over once the buyer's time is up, and the parcel stays where it is. So shoppers must buy
    meanwhile.

    `count`: how many labels, at least, are held. `hold_minutes`: for how long, from now on.
    """

    count: int = Field(3, ge=1, le=200)
    hold_minutes: float = Field(30.0, ge=0.1, le=7 * 24 * 60)

    def inject(self, stack: Stack) -> None:
        """Hold the labels that wait; safe where enough are held. Raises: TerminalError for too few,
        TransientError.
        """
        client, deadline = s3_client(stack), Deadline(WAIT_SECONDS)
        with store_told():
            while True:
                now = datetime.now(UTC)
                until = now + timedelta(minutes=self.hold_minutes)
                for label in waiting_labels(client):
                    if label.fulfillment_id is not None and _may_be_held(label, now, until):
                        write_hold(client, label, until)
                held = len(labels_held_by_hand(client))
                if held >= self.count:
                    return
                if deadline.expired:
                    raise TerminalError(
                        f"only {held} parcels waited within {WAIT_SECONDS:g} s",
                        where="pending/",
                        next_action="shoppers must buy at the checkout: lakeproof traffic --purchases 1",
                    )
                deadline.pause(0.5)

    def remove(self, stack: Stack) -> None:
        """Take every such hold off the labels, and call off the holds that the service took over."""
        client = s3_client(stack)
        with store_told():
            for label in labels_held_by_hand(client):
                let_go(stack, client, label)

    def sign(self, stack: Stack) -> Sign:
        """Labels of parcels carry a hold that the service did not write."""
        with store_told():
            held = len(labels_held_by_hand(s3_client(stack)))
        return Sign(held > 0, f"{held} labels under pending/ carry a hold that the service did not write")


def _may_be_held(label: WaitingLabel, now: datetime, until: datetime) -> bool:
    """True for a label that waits some seconds more, and whose buyer wishes for no later time than the hold's."""
    return not label.by_hand and label.hold_until is not None and now + MARGIN < label.hold_until < until
