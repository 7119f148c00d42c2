"""What comes of looking at a claim: it held, it did not hold, or nobody could look."""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """Three values: "could not look" is never success."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """failed before unknown before passed; of no outcome at all nothing is known."""
    found = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in found:
            return outcome
    return Outcome.PASSED if found else Outcome.UNKNOWN
