"""The text of a shipping label: a pure function of values that never change, so the label can be written again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakeproof.stack.object_store import PROBED
from lakeproof_shop.services.fulfillment.models import tracking_number

PENDING = "pending/"
READY = "ready/"
CHAOS = "chaos/fulfillment-delay/"  # rehearsal's labels; they count as backlog


def fulfillment_of(key: str) -> int | None:
    """The fulfillment whose label waits under this key. None for every key but pending/<id>, so for a rehearsal's."""
    name = key.removeprefix(PENDING)
    return int(name) if key.startswith(PENDING) and name.isascii() and name.isdigit() and len(name) < 19 else None


def is_no_label(key: str, prefix: str) -> bool:
    """True for a folder's mark, and for an object that a probe put there and did not delete because it was killed."""
    return key.endswith("/") or key.startswith(f"{prefix}{PROBED}")


def ready_key(fulfillment_id: int) -> str:
    """The key under which that parcel's label is picked up."""
    return f"{READY}{fulfillment_id}"


@dataclass(frozen=True, slots=True)
class Label:
    """One label. `sha256` (hex) is what a copy is compared with."""

    fulfillment_id: int
    body: bytes

    @property
    def sha256(self) -> str:
        """The checksum of the body."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def pending_key(self) -> str:
        """The key under which the label waits."""
        return f"{PENDING}{self.fulfillment_id}"

    @property
    def ready_key(self) -> str:
        """The key under which the label is picked up."""
        return ready_key(self.fulfillment_id)


def make_label(
    fulfillment_id: int, order_id: int, address: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> Label:
    """The label of a fulfillment. The label's size does not depend on the id."""
    lines = [
        "LAKEPROOF PARCEL",
        f"tracking {tracking_number(fulfillment_id)}",
        f"order {order_id}",
        *(str(address[part]) for part in ("name", "street")),
        f"{address['postal_code']} {address['city']}, {address['country']}",
        *(f"{item['quantity']} x {item['sku']}" for item in items),
    ]
    return Label(fulfillment_id, ("\n".join(lines) + "\n").encode())
