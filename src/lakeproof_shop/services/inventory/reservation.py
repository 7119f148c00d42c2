"""What callers see of a reservation and of a SKU's stock, made from what the tables hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from lakeproof_shop.services.inventory.asked import Asked
from lakeproof_shop.services.inventory.models import KEY_REUSED, InventoryRefused, Line, State, Totals, Why
from lakeproof_shop.serving.times import iso

ReservationState = Literal["held", "confirmed", "released", "expired"]

_WORDS: dict[State, ReservationState] = {
    State.HELD: "held",
    State.SOLD: "confirmed",
    State.RELEASED: "released",
    State.EXPIRED: "expired",
}


@dataclass(frozen=True, slots=True)
class ReservationLine:
    """Units of one SKU, and where they stand."""

    sku: str
    quantity: int
    state: ReservationState


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation; held or confirmed only where all of its lines are. Times: ISO 8601, UTC, microseconds."""

    id: UUID
    order_key: str
    state: ReservationState
    expires_at: str
    created_at: str
    lines: tuple[ReservationLine, ...]


@dataclass(frozen=True, slots=True)
class Stock:
    """One SKU's totals, in units: received − sold − reserved = on_hand ≥ 0."""

    sku: str
    received: int
    sold: int
    reserved: int
    on_hand: int
    version: int


def stock_of(sku: str, totals: Totals) -> Stock:
    """A SKU's totals as its caller sees them."""
    return Stock(sku, totals.received, totals.sold, totals.reserved, totals.on_hand, totals.version)


def reservation_of(asked: Asked, lines: Mapping[str, Line | None]) -> Reservation:
    """The reservation that was asked for, by the states of its lines. A line that does not exist holds nothing."""
    states = {sku: line.state if line is not None else State.RELEASED for sku, line in lines.items()}
    shown = tuple(ReservationLine(sku, asked.quantities[sku], _WORDS[state]) for sku, state in sorted(states.items()))
    return Reservation(
        asked.id,
        asked.order_key,
        _whole(set(states.values())),
        iso(asked.expires_at),
        iso(asked.created_at),
        shown,
    )


def refusal_of(asked: Asked, sku: str, why: Why) -> InventoryRefused:
    """The refusal of a whole reservation, because of the refusal of this SKU."""
    units = asked.quantities[sku]
    text = {
        "out_of_stock": f"{units} of {sku} are not on hand",
        "reservation_expired": f"the reservation has expired, and {units} of {sku} are not on hand any more",
        "expired_before_held": "the time of this key's reservation is over: use another key",
        "not_allowed": "the reservation was released",
        "not_found": f"nothing of {sku} was ever held for it",
        "key_reused": KEY_REUSED,
    }[why]
    return InventoryRefused(why, text, sku)


def _whole(states: set[State]) -> ReservationState:
    """The reservation's state, from its lines' states: confirmed or held only where every line is."""
    if len(states) == 1:
        return _WORDS[states.pop()]
    return "expired" if State.EXPIRED in states else "released"
