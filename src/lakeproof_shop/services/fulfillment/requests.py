"""What callers may ask of the fulfillment service: every limit on what comes in stands here."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
from pydantic import AfterValidator, AwareDatetime, Field, StrictInt

from lakeproof.strict_model import StrictModel
from lakeproof_shop.names import Sku
from lakeproof_shop.serving.whole_number import WHOLE

MAX_ITEMS = 50
MAX_QUANTITY = 1_000
MAX_HOLD_DAYS = 365
MAX_ID = 2**63 - 1

# No control characters: a label is lines of text, and PostgreSQL keeps no NUL.
Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]


def _within_a_year(at: datetime) -> datetime:
    """The time in UTC. A hold beyond a year is refused: it would be a mistake that nobody finds."""
    # Times in the years near 1 and 9999 cannot be converted to UTC.
    if not 1970 <= at.year <= 9000:
        raise ValueError("no plausible time")
    if at > datetime.now(UTC) + timedelta(days=MAX_HOLD_DAYS):
        raise ValueError(f"more than {MAX_HOLD_DAYS} days away")
    return at.astimezone(UTC)


HoldUntil = Annotated[
    AwareDatetime,
    AfterValidator(_within_a_year),
    Field(description="ISO 8601 with a zone; at most a year away", examples=["2026-11-25T08:00:00Z"]),
]


class AddressRequest(StrictModel):
    """Where the parcel goes."""

    name: Annotated[Line, Field(examples=["A. Buyer"])]
    street: Annotated[Line, Field(examples=["1 Lake Road"])]
    city: Annotated[Line, Field(examples=["Hanoi"])]
    postal_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{0,15}$", examples=["100000"])]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2", examples=["VN"])]


class ItemRequest(StrictModel):
    """One line of the parcel."""

    sku: Sku
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY), WHOLE]


class CreateRequest(StrictModel):
    """A parcel to send."""

    order_id: Annotated[StrictInt, Field(ge=1, le=MAX_ID), WHOLE]
    address: AddressRequest
    items: Annotated[list[ItemRequest], Field(min_length=1, max_length=MAX_ITEMS)]
    hold_until: HoldUntil | None = None

    def canonical(self) -> str:
        """The request as one text: equal for equal requests however they were written."""
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS).decode()


class HoldRequest(StrictModel):
    """Until when the label stays under pending/; null lets it go."""

    hold_until: HoldUntil | None

    def canonical(self) -> str:
        """The request as one text."""
        return "" if self.hold_until is None else self.hold_until.isoformat()
