"""What a check gives: a claim that held, did not hold, or could not be looked at, with counted evidence."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from lakeproof.probes.reading import Reading


class Outcome(StrEnum):
    """Three values: "could not look" is never success."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim.

    `numbers` are the counts it rests on (lost 0, acknowledged 5012, ...); `keys` the first 20 ids concerned;
    `readings` where the numbers came from.
    """

    claim: str
    outcome: Outcome
    summary: str
    numbers: dict[str, float] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """failed before unknown before passed; of no outcome at all nothing is known."""
    found = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        if outcome in found:
            return outcome
    return Outcome.PASSED if found else Outcome.UNKNOWN
