"""A fulfillment as everybody in Lakeproof sees it: the parcel's contents, the state of its label, and its changes.

Times are ISO 8601 in UTC with microseconds ("2026-11-24T14:43:53.042722Z").
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a fulfillment stands."""

    REQUESTED = "requested"  # no label yet
    LABEL_PENDING = "label_pending"  # its label lies under pending/
    LABEL_READY = "label_ready"  # its label lies under ready/
    SHIPPED = "shipped"
    RETURNED = "returned"
    CANCELLED = "cancelled"


# The only table of which state may follow which; the API asks it, and the worker's steps follow it.
NEXT: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.LABEL_PENDING, State.CANCELLED}),
    State.LABEL_PENDING: frozenset({State.LABEL_READY, State.CANCELLED}),
    State.LABEL_READY: frozenset({State.SHIPPED, State.CANCELLED}),
    State.SHIPPED: frozenset({State.RETURNED}),
    State.RETURNED: frozenset(),
    State.CANCELLED: frozenset(),
}
HOLDABLE = frozenset({State.REQUESTED, State.LABEL_PENDING})  # a label under ready/ may be picked up at any moment


class Op(StrEnum):
    """What a caller can do to a fulfillment."""

    CREATE = "create"
    HOLD = "hold"
    CANCEL = "cancel"
    RETURN = "return"

    @property
    def allowed_from(self) -> frozenset[State]:
        """The states of a fulfillment in which the operation is accepted; none for `create`."""
        if self is Op.CREATE:
            return frozenset()
        if self is Op.HOLD:
            return HOLDABLE
        return frozenset(state for state, after in NEXT.items() if self.state_after in after)

    @property
    def state_after(self) -> State | None:
        """The state after the operation; None where the state stays."""
        return {Op.CREATE: State.REQUESTED, Op.CANCEL: State.CANCELLED, Op.RETURN: State.RETURNED}.get(self)


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a fulfillment."""

    version: int
    type: str
    at: str


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """One fulfillment at one version, with all its changes up to it."""

    id: int
    order_id: int
    status: str
    version: int
    tracking: str
    address: dict[str, Any]
    items: list[dict[str, Any]]
    hold_until: str | None
    requested_at: str
    updated_at: str
    shipped_at: str | None
    events: tuple[Event, ...]


def tracking_number(fulfillment_id: int) -> str:
    """The tracking number on the label: equally long for every id, so a label's size is known before its id."""
    return f"LP{fulfillment_id:019d}"
