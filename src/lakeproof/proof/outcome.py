"""What comes of looking at a claim: it held, it did not hold, or nobody could look."""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """Three values, since "could not look" (unknown) is never success."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of these: failed, then unknown, then passed. Without any outcome: unknown."""
    found = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in found:
            return outcome
    return Outcome.PASSED if found else Outcome.UNKNOWN
