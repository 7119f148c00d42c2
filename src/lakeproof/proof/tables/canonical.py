"""The canonical text of a row, and its digest: the same in every engine and in Python (docs/integrity.md).

A field is `LENGTH:TEXT` (length in code points), NULL is `-`; a row is its fields one after another. Integers are
written in decimal, decimals at their column's scale, booleans as `true` and `false`, times as microseconds since the
epoch in UTC. A row's digest is the first 60 bits of the MD5 of that text in UTF-8, so that a sum over rows fits every
engine's decimals. The sum does not depend on order, and a second copy of a row changes it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

type Value = str | int | None

DIGEST_HEX_DIGITS = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a column holds."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"
    TIME = "time"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Column:
    """One column of a captured table."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """A captured table. `order_column` holds the id of the order that a row belongs to; it decides the row's bucket.
    In a table that no ledger knows it is the primary key. Where the key is text, its MD5 decides the bucket.

    `identity`: the columns that identify a row for the ledger; a digest over them alone shows whether the row exists.
    `part`: the name for these columns, where the table's other columns are judged elsewhere; else empty.
    """

    name: str
    columns: tuple[Column, ...]
    order_column: str
    identity: tuple[str, ...]
    part: str = ""

    @property
    def told(self) -> str:
        """The table's name in a report."""
        return f"{self.name}.{self.part}" if self.part else self.name

    @property
    def has_text_key(self) -> bool:
        """True where a row's bucket comes from the MD5 of a text key."""
        return any(column.name == self.order_column and column.kind is Kind.TEXT for column in self.columns)


def _columns(*pairs: tuple[str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in pairs)


ORDERS = Table(
    "orders",
    _columns(
        ("id", Kind.INTEGER),
        ("client_key", Kind.TEXT),
        ("customer_id", Kind.INTEGER),
        ("status", Kind.TEXT),
        ("total", Kind.DECIMAL),
        ("item_count", Kind.INTEGER),
        ("version", Kind.INTEGER),
        ("created_at", Kind.TIME),
        ("updated_at", Kind.TIME),
    ),
    "id",
    ("id",),
)
ORDER_ITEMS = Table(
    "order_items",
    _columns(
        ("id", Kind.INTEGER),
        ("order_id", Kind.INTEGER),
        ("line", Kind.INTEGER),
        ("sku", Kind.TEXT),
        ("quantity", Kind.INTEGER),
        ("unit_price", Kind.DECIMAL),
    ),
    "order_id",
    ("id",),
)
ORDER_EVENTS = Table(
    "order_events",
    _columns(
        ("id", Kind.INTEGER),
        ("order_id", Kind.INTEGER),
        ("version", Kind.INTEGER),
        ("type", Kind.TEXT),
        ("at", Kind.TIME),
    ),
    "order_id",
    ("order_id", "version"),
)
TABLES = (ORDERS, ORDER_ITEMS, ORDER_EVENTS)


def as_text(value: Value | Decimal) -> str:
    """A driver's value as text. A decimal is written with all its digits (a zero of scale 7 is not 0E-7)."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def text_of(values: Sequence[Value | Decimal]) -> str:
    """The canonical text of a row whose values are already integers or canonical texts."""
    return "".join("-" if value is None else f"{len(text := as_text(value))}:{text}" for value in values)


def digest_of(values: Sequence[Value | Decimal]) -> int:
    """The first 60 bits of the MD5 of the canonical text."""
    return int(hashlib.md5(text_of(values).encode(), usedforsecurity=False).hexdigest()[:DIGEST_HEX_DIGITS], 16)


def text_bucket(key: str) -> int:
    """The bucket of a text key: the first two hexadecimal digits of its MD5."""
    return int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:2], 16)


def microseconds(time: datetime | str) -> int:
    """A time as microseconds since the epoch; a time without a zone is UTC. Exact (no floating point)."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
