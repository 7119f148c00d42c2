"""A checkout and its steps: values only.

Forward: reserve → order → authorize → confirm → capture → pay → label → notify → done. A refusal before the money is
taken turns it round: void → release → cancel → failed, each only where there is something to undo. Once `confirm` is
through, the goods are sold; only a refused capture still turns it round, and the goods are received back.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any


class Step(StrEnum):
    """What is to be done next; DONE and FAILED are ends."""

    RESERVE = "reserve"
    ORDER = "order"
    AUTHORIZE = "authorize"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    PAY = "pay"
    LABEL = "label"
    NOTIFY = "notify"
    DONE = "done"
    VOID = "void"
    RELEASE = "release"
    CANCEL = "cancel"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Nothing is left to do."""
        return self in (Step.DONE, Step.FAILED)

    @property
    def is_bought(self) -> bool:
        """The buyer has bought, for certain: what is left follows by itself."""
        return self in (Step.PAY, Step.LABEL, Step.NOTIFY, Step.DONE)

    @property
    def is_turned_back(self) -> bool:
        """It will fail, or has: what was done is being undone."""
        return self in (Step.VOID, Step.RELEASE, Step.CANCEL, Step.FAILED)

    @property
    def following(self) -> "Step":
        """The step after this one has been done."""
        return _NEXT[self]


_FORWARD = (
    *(Step.RESERVE, Step.ORDER, Step.AUTHORIZE, Step.CONFIRM, Step.CAPTURE, Step.PAY, Step.LABEL),
    *(Step.NOTIFY, Step.DONE),
)
_BACKWARD = (Step.VOID, Step.RELEASE, Step.CANCEL, Step.FAILED)
_NEXT = dict((*pairwise(_FORWARD), *pairwise(_BACKWARD)))


_ORDER_KEY = "checkout:"


def order_key_of(checkout_key: str) -> str:
    """The client key of the order that a checkout makes: by it the order is found."""
    return _ORDER_KEY + checkout_key


def checkout_key_of(order_key: str) -> str | None:
    """The checkout that made the order of that client key; None where it came by another way."""
    return order_key.removeprefix(_ORDER_KEY) if order_key.startswith(_ORDER_KEY) else None


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout as its row says. `request`: what the buyer asked. Ids are None until their step is done.

    `refusal`: why it was turned back, code and words. `attempts`: tries of the present step without a clear answer.
    """

    key: str
    digest: str
    request: dict[str, Any]
    step: Step
    reservation_id: str | None
    order_id: int | None
    payment_id: int | None
    fulfillment_id: int | None
    sold: bool
    refusal: tuple[str, str] | None
    attempts: int
    trace_id: str
    created_at: datetime
    updated_at: datetime
