"""What a buyer may ask of a checkout: every limit on what comes in stands here."""

import hashlib
from decimal import Decimal
from typing import Annotated, Any, Self

import orjson
from pydantic import Field, StrictInt, model_validator

from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.services.fulfillment.requests import AddressRequest
from lakeproof_shop.services.order.requests import ItemRequest, ItemsRequest
from lakeproof_shop.services.payment.requests import TOKEN_PATTERN

# Shorter than other keys, because each step makes its own, longer key from it.
KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,47}$"
MAX_KEEP_SECONDS = 7 * 86_400
MAX_TOTAL = Decimal("99999.99")  # the most that one payment may be


class CheckoutRequest(ItemsRequest):
    """A basket, a card and an address. `email`: who is told; nobody where it is left out.

    keep_seconds: the parcel waits for so long after the checkout began, so that it can still be cancelled.
    """

    customer_id: Annotated[StrictInt, Field(ge=1, le=MAX_CUSTOMER_ID)]
    card: Annotated[str, Field(pattern=TOKEN_PATTERN, examples=["tok_visa", "tok_insufficient_funds"])]
    address: AddressRequest
    email: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=160)]
        | None
    ) = None
    keep_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_KEEP_SECONDS)] = 0

    @model_validator(mode="after")
    def each_sku_once(self) -> Self:
        """A reservation has one line per SKU, so two lines of one SKU are refused."""
        if len({item.sku for item in self.items}) < len(self.items):
            raise ValueError("a SKU stands in two lines")
        return self

    @model_validator(mode="after")
    def one_payment_takes_it(self) -> Self:
        """A total above the limit of one payment cannot be charged."""
        if self.total > MAX_TOTAL:
            raise ValueError(f"the total is over {MAX_TOTAL}")
        return self

    def stored(self) -> dict[str, Any]:
        """The request as JSON; `of_stored` reads it."""
        return self.model_dump(mode="json")

    @classmethod
    def of_stored(cls, stored: dict[str, Any]) -> "CheckoutRequest":
        """A request from its stored JSON, unchecked: it was checked before it was stored."""
        items = [
            ItemRequest.model_construct(
                sku=item["sku"], quantity=item["quantity"], unit_price=Decimal(item["unit_price"])
            )
            for item in stored["items"]
        ]
        address = AddressRequest.model_construct(**stored["address"])
        return cls.model_construct(**(stored | {"items": items, "address": address}))

    def digest(self) -> str:
        """SHA-256 (hex) of the whole request: equal for equal requests however they were written."""
        asked = self.stored()
        if not asked["keep_seconds"]:
            # Left out where it is 0, as before this field existed: a key repeated across an upgrade keeps its digest.
            del asked["keep_seconds"]
        text = orjson.dumps(
            asked | {"items": [(item.sku, item.quantity, f"{item.unit_price:.2f}") for item in self.items]},
            option=orjson.OPT_SORT_KEYS,
        )
        return hashlib.sha256(text).hexdigest()
