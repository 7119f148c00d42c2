"""What can be wrong with a row, by the key of its order."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """The classes of the report.

    lost: acknowledged and absent.
    duplicated: two ids for one client key, or a second row of one event.
    stale: an older version than acknowledged, or a deleted order that is still there.
    phantom: a key, a version or a content that no shopper ever asked for.
    """

    LOST = "lost"
    DUPLICATED = "duplicated"
    STALE = "stale"
    PHANTOM = "phantom"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that is wrong. `key` is the order's client key, with the line or version where a table has several."""

    table: str
    wrong: Wrong
    key: str
    detail: str
