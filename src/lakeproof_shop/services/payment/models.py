"""A payment as everybody in Lakeproof sees it, and what may happen to it.

Money is a decimal string at scale 2 ("12.30"), times are ISO 8601 in UTC with microseconds
("2026-11-24T14:43:53.042722Z"): equal values stay equal texts, whatever systems they went through.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from lakeproof_shop.serving.operation import RuleRefused


class Status(StrEnum):
    """Where a payment stands."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Op(StrEnum):
    """What a caller can do with a payment."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"

    @property
    def event(self) -> str:
        """The `type` of the row in payment_events; a declined authorization has its own."""
        return _EVENTS[self]

    @property
    def allowed_from(self) -> frozenset[Status]:
        """The statuses of a payment in which the operation is accepted; none for `authorize`."""
        return _ALLOWED_FROM[self]


DECLINED_EVENT = "declined"
_EVENTS = {Op.AUTHORIZE: "authorized", Op.CAPTURE: "captured", Op.REFUND: "refunded", Op.VOID: "voided"}
_ALLOWED_FROM = {
    Op.AUTHORIZE: frozenset[Status](),
    Op.CAPTURE: frozenset({Status.AUTHORIZED}),
    Op.REFUND: frozenset({Status.CAPTURED, Status.PARTIALLY_REFUNDED}),
    Op.VOID: frozenset({Status.AUTHORIZED}),
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """A payment's money and status, before or after a change. 0 <= refunded <= captured <= authorized."""

    status: Status
    authorized: Decimal
    captured: Decimal
    refunded: Decimal


def amounts_after(op: Op, before: Amounts, amount: Decimal | None) -> tuple[Amounts, Decimal]:
    """The amounts after a change, and the amount that it moved. `amount` None: all that may be captured or refunded.

    Raises: RuleRefused (not_allowed, more_than_authorized, more_than_captured).
    """
    if before.status not in op.allowed_from:
        raise RuleRefused("not_allowed", f"cannot {op} a payment that is {before.status}")
    if op is Op.VOID:
        return Amounts(Status.VOIDED, before.authorized, before.captured, before.refunded), before.authorized
    if op is Op.CAPTURE:
        taken = before.authorized if amount is None else amount
        if taken > before.authorized:
            raise RuleRefused("more_than_authorized", f"{taken} is more than the {before.authorized} authorized")
        return Amounts(Status.CAPTURED, before.authorized, taken, before.refunded), taken
    left = before.captured - before.refunded
    given = left if amount is None else amount
    if given > left:
        raise RuleRefused("more_than_captured", f"{given} is more than the {left} that is captured and not refunded")
    refunded = before.refunded + given
    status = Status.REFUNDED if refunded == before.captured else Status.PARTIALLY_REFUNDED
    return Amounts(status, before.authorized, before.captured, refunded), given


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment at one version. `authorized` is the amount, or 0.00 where it was declined.

    Money: decimal strings at scale 2. Times: ISO 8601, UTC, microseconds.
    """

    id: int
    order_id: int
    customer_id: int
    status: Status
    amount: str
    authorized: str
    captured: str
    refunded: str
    decline_code: str | None
    version: int
    created_at: str
    updated_at: str
