"""What a diagnosis of several faults leaves open, to be looked at again once the named causes are repaired.

One fault may hide another: a full queue is no finding while the server behind the queue is down. Or one fault keeps
a probe from looking for another: while a database is full, no probe can try whether it turns a login away.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lakeproof.diagnosis.diagnosis import Diagnosis, Finding


@dataclass(frozen=True)
class LeftOpen:
    """What one diagnosis left open.

    hidden: ids of the causes that a named cause hides.
    unknown: ids of the probes whose readings no cause accounts for.
    named: ids of the causes that were named and repaired.
    """

    hidden: frozenset[str]
    unknown: frozenset[str]
    named: frozenset[str]

    @classmethod
    def by(cls, found: Diagnosis, named: Iterable[Finding]) -> "LeftOpen":
        """What the diagnosis `found` leaves open once its findings `named` are repaired."""
        return cls(
            frozenset(each.cause for each in found.hidden),
            _unknown(found),
            frozenset(finding.cause.id for finding in named),
        )

    def __bool__(self) -> bool:
        """True where there is something to look at again."""
        return bool(self.hidden or self.unknown)

    def causes(self, later: Diagnosis) -> list[Finding]:
        """The later findings that were open: causes hidden no longer, and new causes of an unknown reading."""
        return [
            finding
            for finding in later.findings
            if finding.cause.id in self.hidden
            or (finding.cause.id not in self.named and finding.explains & self.unknown)
        ]

    def still(self, later: Diagnosis) -> list[str]:
        """The ids of open causes and probes that a later diagnosis still names, hides or cannot explain."""
        causes = {finding.cause.id for finding in self.causes(later)}
        hidden = {each.cause for each in later.hidden}
        return sorted(causes | (self.hidden & hidden) | (self.unknown & _unknown(later)))


def _unknown(found: Diagnosis) -> frozenset[str]:
    return frozenset(seen.reading.probe for seen in found.unknown)
