"""A checkout and its steps: values only.

Forward: reserve → order → authorize → confirm → capture → pay → label → notify → done. A refusal before the money is
taken turns the checkout back: void → release → cancel → failed, each only where there is something to undo. `confirm`
sells the goods. After it only a refused capture turns the checkout back, and the goods are received into stock again.

A purchase may be cancelled before it is shipped: recall → refund → restock → withdraw → cancelled; or returned
afterwards: take_back → repay → put_back → return → returned. The first step asks for the parcel, and only this step
may be refused: then the purchase stands (done). Each way has its own steps, so a step alone tells what comes next.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any


class Step(StrEnum):
    """What is to be done next in a checkout, or how it ended."""

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
    RECALL = "recall"
    REFUND = "refund"
    RESTOCK = "restock"
    WITHDRAW = "withdraw"
    CANCELLED = "cancelled"
    TAKE_BACK = "take_back"
    REPAY = "repay"
    PUT_BACK = "put_back"
    RETURN = "return"
    RETURNED = "returned"

    @property
    def is_end(self) -> bool:
        """Nothing is left to do; a purchase that is done may still be cancelled or returned."""
        return self in ENDS

    @property
    def is_bought(self) -> bool:
        """The purchase is certain: the steps that are left follow by themselves."""
        return self in (Step.PAY, Step.LABEL, Step.NOTIFY, Step.DONE)

    @property
    def is_turned_back(self) -> bool:
        """The checkout fails: what was done is being undone, or has been."""
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
_CANCEL = (Step.RECALL, Step.REFUND, Step.RESTOCK, Step.WITHDRAW, Step.CANCELLED)
_RETURN = (Step.TAKE_BACK, Step.REPAY, Step.PUT_BACK, Step.RETURN, Step.RETURNED)
_NEXT = dict(pair for way in (_FORWARD, _BACKWARD, _CANCEL, _RETURN) for pair in pairwise(way))
ENDS = frozenset({Step.DONE, Step.FAILED, Step.CANCELLED, Step.RETURNED})


class Undoing(StrEnum):
    """What the buyer may ask of a checkout that was bought."""

    CANCEL = "cancel"
    RETURN = "return"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of this way, from the first, which alone may be refused, to the end."""
        return _CANCEL if self is Undoing.CANCEL else _RETURN


_ORDER_KEY = "checkout:"


def order_key_of(checkout_key: str) -> str:
    """The client key of the order that a checkout makes: by it the order is found."""
    return _ORDER_KEY + checkout_key


def checkout_key_of(order_key: str) -> str | None:
    """The checkout that made the order of that client key; None where no checkout made it."""
    return order_key.removeprefix(_ORDER_KEY) if order_key.startswith(_ORDER_KEY) else None


def restock_key(checkout_key: str, line: int) -> str:
    """The key under which a sold line (counted from 0) is received into stock again: once, whatever led to it."""
    return f"{checkout_key}:back:{line}"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout as its row says. Ids are None until their step is done.

    request: what the buyer asked for.
    sold: True once the goods are sold (`confirm`).
    refusal: why the checkout was turned back, or why the newest wish to cancel or return it was; code and words.
    attempts: tries of the present step without a clear answer.
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
