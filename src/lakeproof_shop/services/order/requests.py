"""What callers may ask of the order service: every limit on what comes in stands here."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, StrictInt, model_validator

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import MAX_CUSTOMER_ID, Sku
from lakeproof_shop.serving.answering import KEY_PATTERN

MAX_ITEMS = 50
MAX_QUANTITY = 1_000
MAX_UNIT_PRICE = Decimal("100000.00")
MAX_TOTAL = Decimal("1000000.00")

Key = Annotated[str, Field(pattern=KEY_PATTERN, examples=["basket-4711"])]


class ItemRequest(StrictModel):
    """One line of an order. `unit_price` is a decimal string (or number) with at most two decimals."""

    sku: Sku
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY)]
    unit_price: Annotated[Decimal, Field(gt=0, le=MAX_UNIT_PRICE, decimal_places=2, examples=["6.15"])]


class ItemsRequest(StrictModel):
    """The whole new list of items, which replaces the old one."""

    items: Annotated[list[ItemRequest], Field(min_length=1, max_length=MAX_ITEMS)]

    @property
    def total(self) -> Decimal:
        """Sum of quantity × unit price, at scale 2."""
        return sum((item.quantity * item.unit_price for item in self.items), Decimal("0.00")).quantize(
            Decimal("0.01")
        )

    @model_validator(mode="after")
    def total_is_plausible(self) -> Self:
        """A total beyond the shop's limit is a mistake or an attack."""
        if self.total > MAX_TOTAL:
            raise ValueError(f"total {self.total} is above {MAX_TOTAL}")
        return self

    def canonical(self) -> str:
        """The items as one text: equal for equal items however they were written."""
        return ";".join(f"{item.sku},{item.quantity},{item.unit_price:.2f}" for item in self.items)


class CreateRequest(ItemsRequest):
    """A new order. `client_key` may stand in the header Idempotency-Key instead."""

    client_key: Key | None = None
    customer_id: Annotated[StrictInt, Field(ge=1, le=MAX_CUSTOMER_ID)]

    def canonical(self) -> str:
        """The customer and the items as one text."""
        return f"{self.customer_id}|{super().canonical()}"
