"""What comes of looking at a claim: it held, it did not hold, or nobody could look."""

from enum import StrEnum


class Outcome(StrEnum):
    """Three values: "could not look" is never success."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
