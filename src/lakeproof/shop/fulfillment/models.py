"""A fulfillment as everybody in Lakeproof sees it: what is to be sent, where its label stands, and how it got there.

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


# The one table of what may follow what; the worker and the API both go by it.
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
        """The states in which it is accepted; for `create` there is none before."""
        if self is Op.CREATE:
            return frozenset()
        if self is Op.HOLD:
            return HOLDABLE
        return frozenset(state for state, after in NEXT.items() if self.state_after in after)

    @property
    def state_after(self) -> State | None:
        """The state that it leads to; None: it stays."""
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
    """What stands on the label; as long for every id, so that a label's size is known before its id."""
    return f"LP{fulfillment_id:019d}"
