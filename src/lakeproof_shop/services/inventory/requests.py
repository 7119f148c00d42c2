"""What callers may ask of the inventory service: every limit on what comes in stands here."""

from typing import Annotated, Self

from pydantic import Field, StrictInt, model_validator

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import Sku
from lakeproof_shop.serving.answering import KEY_PATTERN

MAX_LINES = 50
MAX_QUANTITY = 1_000
MAX_RECEIPT = 1_000_000


class LineRequest(StrictModel):
    """So many units of one SKU."""

    sku: Sku
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY)]


class ReservationRequest(StrictModel):
    """Everything that one order wants, each SKU once. All of it is held, or nothing is."""

    order_key: Annotated[str, Field(pattern=KEY_PATTERN, examples=["basket-4711"])]
    lines: Annotated[list[LineRequest], Field(min_length=1, max_length=MAX_LINES)]

    @model_validator(mode="after")
    def each_sku_once(self) -> Self:
        """A reservation has one line per SKU, so two lines of one SKU are refused, not added up."""
        skus = [line.sku for line in self.lines]
        if len(set(skus)) < len(skus):
            raise ValueError("a SKU stands in two lines")
        return self

    def quantities(self) -> dict[str, int]:
        """SKU → units, in the order of the SKUs."""
        return dict(sorted((line.sku, line.quantity) for line in self.lines))

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return f"{self.order_key}|" + ";".join(f"{sku},{units}" for sku, units in self.quantities().items())


class ReceiptRequest(StrictModel):
    """Goods that came in."""

    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_RECEIPT)]
