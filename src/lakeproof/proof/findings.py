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


# The numbers in a check's verdict, and in a drill's report.json, that count wrong data: wrong rows, units sold beyond
# what came in, and violated claims about rows or the ledger. Repairing a service does not correct wrong data.
WRONG = (*(each.value for each in Wrong), "oversold", "violations")


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that is wrong. `key` is the order's client key, with the line or version where a table has several."""

    table: str
    wrong: Wrong
    key: str
    detail: str
