"""Stock and reservations as the service sees them, and what one change does to them. Pure: values in, values out.

The rule that always holds: received − sold − reserved = on hand ≥ 0. `decide` is the one place where it is kept.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid5

from lakeproof_shop.serving.operation import RuleRefused

# The namespace of reservations' and receipts' ids. An id is made from the caller's key, so that a key acts once.
KEYS = UUID("5f1d7c52-6d2f-5a55-9d0b-6f1c1d0c1d1e")


def receipt_id(key: str) -> UUID:
    """The id of the receipt of goods that came in under that key."""
    return uuid5(KEYS, f"receive|{key}")


class State(StrEnum):
    """The state of a reservation's line of one SKU. A receipt of goods is kept as a line too: RECEIVED."""

    HELD = "held"
    SOLD = "sold"
    RELEASED = "released"
    EXPIRED = "expired"
    RECEIVED = "received"


class Op(StrEnum):
    """One change of one SKU's stock.

    UNDO takes a hold back as if it had never been; UNSELL takes a sale back. Both happen where another line of the
    same reservation could not be held or sold.
    """

    RECEIVE = "receive"
    HOLD = "hold"
    CONFIRM = "confirm"
    RELEASE = "release"
    EXPIRE = "expire"
    UNDO = "undo"
    UNSELL = "unsell"

    @property
    def event(self) -> str:
        """The type of the event that tells of the change."""
        return _EVENTS[self]


_EVENTS = {
    Op.RECEIVE: "stock.received",
    Op.HOLD: "reservation.held",
    Op.CONFIRM: "reservation.confirmed",
    Op.RELEASE: "reservation.released",
    Op.EXPIRE: "reservation.expired",
    Op.UNDO: "reservation.released",
    Op.UNSELL: "reservation.released",
}

Why = Literal["not_found", "key_reused", "not_allowed", "out_of_stock", "reservation_expired", "expired_before_held"]


KEY_REUSED = "the key was used for another request, which counts: send this request under a key of its own"


class InventoryRefused(RuleRefused):
    """A request that the rules refuse. sku: the SKU that is the reason, "" where none is."""

    def __init__(self, why: Why, message: str, sku: str = "") -> None:
        super().__init__(why, message)
        self.sku = sku


@dataclass(frozen=True, slots=True)
class Totals:
    """One SKU's totals at one version, none below 0: units, but for `active` (held lines) and `events` (events)."""

    version: int = 0
    received: int = 0
    sold: int = 0
    reserved: int = 0
    active: int = 0
    events: int = 0

    @property
    def on_hand(self) -> int:
        """What may still be reserved or sold."""
        return self.received - self.sold - self.reserved


@dataclass(frozen=True, slots=True)
class Line:
    """A reservation's units of one SKU, or a receipt. `op` names the batch that wrote it last."""

    state: State
    quantity: int
    digest: str
    expires_at: datetime | None
    created_at: datetime
    op: UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is asked of one SKU.

    id: the reservation's or the receipt's.
    digest: of the whole request.
    created_at: when the request came first.
    expires_at: when a hold ends.
    """

    op: Op
    id: UUID
    quantity: int
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    order_key: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a change.

    line, totals: as they are after the change.
    refused: why the change is not made; None where it is made.
    replayed: True where the change was made before, so that there is nothing to write.
    """

    line: Line | None
    totals: Totals
    refused: Why | None = None
    replayed: bool = False


def decide(change: Change, line: Line | None, totals: Totals, now: datetime) -> Decision:
    """Apply a change to a line (None: the line does not exist) and to its SKU's totals. Pure."""
    if line is not None and line.digest != change.digest:
        return Decision(line, totals, refused="key_reused")
    match change.op:
        case Op.RECEIVE | Op.HOLD:
            return _new(change, line, totals, now)
        case Op.CONFIRM:
            return _confirm(change, line, totals)
        case Op.UNDO:
            return _undo(line, totals)
        case _:
            return _end(change, line, totals)


def _new(change: Change, line: Line | None, totals: Totals, now: datetime) -> Decision:
    if line is not None:
        return Decision(line, totals, replayed=True)
    quantity = change.quantity
    if change.op is Op.RECEIVE:
        made = Line(State.RECEIVED, quantity, change.digest, None, change.created_at)
        return Decision(made, replace(totals, received=totals.received + quantity))
    if change.expires_at is None or change.expires_at <= now:
        return Decision(None, totals, refused="expired_before_held")
    if totals.on_hand < quantity:
        return Decision(None, totals, refused="out_of_stock")
    made = Line(State.HELD, quantity, change.digest, change.expires_at, change.created_at)
    return Decision(made, replace(totals, reserved=totals.reserved + quantity, active=totals.active + 1))


def _confirm(change: Change, line: Line | None, totals: Totals) -> Decision:
    if line is None:
        return Decision(None, totals, refused="not_found")
    if line.state is State.SOLD:
        return Decision(line, totals, replayed=True)
    if line.state is State.HELD:
        return Decision(
            replace(line, state=State.SOLD),
            replace(
                totals,
                reserved=totals.reserved - line.quantity,
                sold=totals.sold + line.quantity,
                active=totals.active - 1,
            ),
        )
    if line.state is not State.EXPIRED:
        return Decision(line, totals, refused="not_allowed")
    # The goods of an expired line went back to stock. The line can be sold only while enough are still on hand.
    if totals.on_hand < line.quantity:
        return Decision(line, totals, refused="reservation_expired")
    return Decision(replace(line, state=State.SOLD), replace(totals, sold=totals.sold + line.quantity))


def _undo(line: Line | None, totals: Totals) -> Decision:
    if line is None or line.state is not State.HELD:
        return Decision(line, totals, replayed=True)
    return Decision(None, replace(totals, reserved=totals.reserved - line.quantity, active=totals.active - 1))


def _end(change: Change, line: Line | None, totals: Totals) -> Decision:
    """Release, expire or unsell."""
    if line is None:
        return Decision(None, totals, refused="not_found")
    after = State.EXPIRED if change.op is Op.EXPIRE else State.RELEASED
    if change.op is Op.UNSELL and line.state is State.SOLD:
        return Decision(replace(line, state=after), replace(totals, sold=totals.sold - line.quantity))
    if line.state is State.HELD and change.op is not Op.UNSELL:
        freed = replace(totals, reserved=totals.reserved - line.quantity, active=totals.active - 1)
        return Decision(replace(line, state=after), freed)
    if line.state is State.EXPIRED and change.op is Op.RELEASE:
        # An expired line holds nothing, but its release is recorded: else a late confirm would sell the customer the
        # goods that the customer gave back.
        return Decision(replace(line, state=after), totals)
    if line.state is State.SOLD and change.op is Op.RELEASE:
        return Decision(line, totals, refused="not_allowed")
    return Decision(line, totals, replayed=True)
