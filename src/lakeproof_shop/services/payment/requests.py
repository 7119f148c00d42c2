"""What callers may ask of the payment service: every limit on what comes in stands here."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, StrictInt

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.serving.whole_number import WHOLE

MAX_ID = MAX_CUSTOMER_ID  # ids of orders and payments have the same bound, for the same reason

# 0.01 to 99999.99. An amount is a string, because a JSON number could carry more decimals than were meant.
AMOUNT_PATTERN = r"^(0\.(0[1-9]|[1-9][0-9]?)|[1-9][0-9]{0,4}(\.[0-9]{1,2})?)$"
TOKEN_PATTERN = r"^tok_[a-z0-9_]{1,60}$"

Amount = Annotated[
    str, Field(pattern=AMOUNT_PATTERN, description="0.01 to 99999.99, a decimal string", examples=["15.30"])
]


class AuthorizeRequest(StrictModel):
    """A payment to authorize. `card` is a token, never a number."""

    order_id: Annotated[StrictInt, Field(ge=1, le=MAX_ID), WHOLE]
    customer_id: Annotated[StrictInt, Field(ge=1, le=MAX_CUSTOMER_ID), WHOLE]
    amount: Amount
    card: Annotated[str, Field(pattern=TOKEN_PATTERN, examples=["tok_visa", "tok_insufficient_funds"])]

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return f"{self.order_id}|{self.customer_id}|{money(self.amount)}|{self.card}"


class AmountRequest(StrictModel):
    """How much of it; left out: all that there is."""

    amount: Amount | None = None

    @property
    def value(self) -> Decimal | None:
        """The amount at scale 2, None for all."""
        return None if self.amount is None else money(self.amount)

    def canonical(self) -> str:
        """The request as one text."""
        return "all" if self.value is None else str(self.value)


def money(text: str) -> Decimal:
    """An amount at scale 2."""
    return Decimal(text).quantize(Decimal("0.01"))
