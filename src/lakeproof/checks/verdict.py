"""What a check gives: a claim that held, did not hold, or could not be looked at, with counted evidence."""

from dataclasses import dataclass, field

from lakeproof.probes.reading import Reading
from lakeproof.proof.outcome import Outcome as Outcome


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim.

    numbers: the counts that the outcome rests on (lost 0, acknowledged 5012, ...).
    keys: the first 20 ids concerned. readings: where the numbers came from.
    """

    claim: str
    outcome: Outcome
    summary: str
    numbers: dict[str, float] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
