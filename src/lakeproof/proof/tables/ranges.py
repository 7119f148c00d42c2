"""Which rows lie in a bucket: ranges of order ids (or of another whole-number key), and the rows whose id is NULL."""

from collections.abc import Iterable
from dataclasses import dataclass

SMALLEST_ID, LARGEST_ID = -(2**63), 2**63 - 1
# The bucket of rows whose order's id is NULL. It sorts below every id's bucket.
OF_NULL = SMALLEST_ID


@dataclass(frozen=True)
class Ranges:
    """spans: ranges [from, below) of order ids, ascending. with_null: also the rows whose order's id is NULL."""

    spans: tuple[tuple[int, int], ...]
    with_null: bool = False

    def at_most(self, count: int) -> "Ranges":
        """These ranges, or one from the first to the last where there are more than `count`."""
        if len(self.spans) <= count:
            return self
        return Ranges(((self.spans[0][0], self.spans[-1][1]),), self.with_null)


def ranges_of(buckets: Iterable[int], width: int) -> Ranges:
    """The ranges of exactly these buckets; adjacent ones are joined."""
    joined: list[tuple[int, int]] = []
    with_null = False
    for bucket in sorted(buckets):
        if bucket == OF_NULL:
            with_null = True
            continue
        start = bucket * width
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], start + width)
        else:
            joined.append((start, start + width))
    return Ranges(tuple(joined), with_null)


def in_words(bucket: int, width: int, *, of_text: bool = False) -> str:
    """Which rows a bucket holds, for people."""
    if bucket == OF_NULL:
        return "ids that are NULL"
    if of_text:
        return f"keys whose MD5 begins with {bucket:02x}"
    return f"ids {bucket * width} to {(bucket + 1) * width - 1}"
