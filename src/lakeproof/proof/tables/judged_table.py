"""A table that the claims on whole transactions read, and which of its rows belong together."""

from dataclasses import dataclass

# A statement returns at most this many violations, so an answer of this length may have been cut off.
MOST = 10_000


@dataclass(frozen=True)
class JudgedTable:
    """noun: the kind of thing that its rows are part of: an order, a payment. key: the column with that thing's id.

    columns: all columns that the claims read. A claim on one order reads rows of that order alone.
    """

    noun: str
    key: str
    columns: tuple[str, ...]
