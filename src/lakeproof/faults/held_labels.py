"""Labels that are held: under the rehearsal's prefix of the labels' bucket, with `hold-until` in the future.

They count as backlog for every fulfillment service that looks at the bucket, and as late as their hold is long. No
parcel of a customer is touched.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.services.times import iso
from lakeproof.shop.fulfillment.holds_by_hand import listed, store_told
from lakeproof.shop.fulfillment.label import CHAOS, make_label
from lakeproof.shop.fulfillment.label_store import HOLD_UNTIL
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack

AT_ONCE = 8
_ADDRESS = {"name": "Rehearsal", "street": "1 Hold Road", "city": "Lake", "postal_code": "0", "country": "XX"}
_ITEMS = [{"sku": "rehearsal", "quantity": 1}]


class HeldLabelsArguments(Arguments):
    """`count` labels, held for `hold_minutes` from now on."""

    count: int = Field(25, ge=1, le=10_000)
    hold_minutes: float = Field(30.0, ge=0.1, le=7 * 24 * 60)


@dataclass(frozen=True, slots=True)
class HeldLabels:
    """The objects under the prefix."""

    keys: tuple[str, ...]
    bytes: int


def held_labels(stack: Stack) -> HeldLabels:
    """List the objects. Raises: TransientError where the store does not answer, TerminalError where it refuses."""
    with store_told():
        return _listed(s3_client(stack))


def inject(stack: Stack, arguments: HeldLabelsArguments) -> None:
    """Write the labels; those that are there are overwritten. Raises: TransientError, TerminalError."""
    client = s3_client(stack)
    held_until = iso(datetime.now(UTC) + timedelta(minutes=arguments.hold_minutes))

    def put(number: int) -> None:
        client.put_object(
            Bucket=LABEL_BUCKET,
            Key=f"{CHAOS}{number:05d}",
            Body=make_label(number, number, _ADDRESS, _ITEMS).body,
            ContentType="text/plain; charset=utf-8",
            Metadata={HOLD_UNTIL: held_until},
        )

    with store_told(), ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(put, range(1, arguments.count + 1)))


def remove(stack: Stack, _: HeldLabelsArguments) -> None:
    """Delete everything under the prefix. Raises: TransientError, TerminalError."""
    client = s3_client(stack)

    def delete(key: str) -> None:
        client.delete_object(Bucket=LABEL_BUCKET, Key=key)

    with store_told(), ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(delete, _listed(client).keys))


def sign(stack: Stack, arguments: HeldLabelsArguments) -> Sign:
    """At least `count` labels lie under the prefix."""
    found = len(held_labels(stack).keys)
    return Sign(found >= arguments.count, f"{found} labels are held under {CHAOS}")


def _listed(client: Any) -> HeldLabels:
    found = listed(client, CHAOS)
    return HeldLabels(tuple(key for key, _ in found), sum(size for _, size in found))


FAULT = Fault(
    "held_labels",
    "hold labels back in the labels' bucket (a rehearsal's own)",
    inject,
    remove,
    sign,
    HeldLabelsArguments,
)
