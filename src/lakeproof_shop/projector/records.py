"""What a result topic's records say, checked: a row as it is now, a row's deletion, or how far the source came."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

MAX_BIGINT = 2**63 - 1
MAX_INT = 2**31 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Id = Annotated[int, Field(ge=1, le=MAX_BIGINT)]


class Unreadable(ValueError):
    """A record that no retry makes readable; the message says why."""


class OrderRecord(BaseModel):
    """An order at a version: as it is (`upsert`), or as it was when it went (`delete`)."""

    op: Literal["upsert", "delete"]
    customer_id: Id
    id: Id
    status: Annotated[str, Field(min_length=1, max_length=64)]
    total: Annotated[Decimal, Field(max_digits=20, decimal_places=2)]
    item_count: Annotated[int, Field(ge=0, le=MAX_INT)]
    version: Annotated[int, Field(ge=1, le=MAX_INT)]
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def key(self) -> tuple[int, int]:
        """The row that the record is about: customer and order."""
        return self.customer_id, self.id

    @property
    def stamp(self) -> int:
        """Its place among all changes of that row: Cassandra keeps the highest. An order's version rises by one with
        each change and needs no clock; its deletion comes after the version that it had last.
        """
        return 2 * self.version + (self.op == "delete")


class BeatRecord(BaseModel):
    """Every row that was committed up to `beat_us`, and that went into this partition, lies before this record."""

    op: Literal["beat"]
    beat_us: Annotated[int, Field(ge=0, le=MAX_BIGINT)]


_ANY: TypeAdapter[OrderRecord | BeatRecord] = TypeAdapter(
    Annotated[OrderRecord | BeatRecord, Field(discriminator="op")]
)


def read_record(value: bytes | None) -> OrderRecord | BeatRecord:
    """Raises: Unreadable."""
    if value is None:
        raise Unreadable("it is empty")
    try:
        return _ANY.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"{place}: {first['msg']}" if place else str(first["msg"])) from error


def microseconds(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND
