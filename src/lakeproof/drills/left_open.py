"""What a diagnosis of several faults leaves open, to be looked at again once the causes that it named are mended.

One fault may hide another: a full queue is no finding while the server behind it is down. Or nobody can look for the
other: while a database is full, nobody can try a login that it would turn away.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lakeproof.diagnosis.diagnosis import Diagnosis, Finding


@dataclass(frozen=True)
class LeftOpen:
    """hidden: the ids of the causes that a named one hides. unknown: the ids of the probes whose readings no cause
    accounts for. named: the ids of the causes that are mended by now.
    """

    hidden: frozenset[str]
    unknown: frozenset[str]
    named: frozenset[str]

    @classmethod
    def by(cls, found: Diagnosis, named: Iterable[Finding]) -> "LeftOpen":
        """What that diagnosis leaves open beside these findings of it."""
        return cls(
            frozenset(each.cause for each in found.hidden),
            _unknown(found),
            frozenset(finding.cause.id for finding in named),
        )

    def __bool__(self) -> bool:
        """True where there is something to look at again."""
        return bool(self.hidden or self.unknown)

    def causes(self, later: Diagnosis) -> list[Finding]:
        """What a later diagnosis names of it: causes that are hidden no longer, and new ones that account for what
        was unknown.
        """
        return [
            finding
            for finding in later.findings
            if finding.cause.id in self.hidden
            or (finding.cause.id not in self.named and finding.explains & self.unknown)
        ]

    def still(self, later: Diagnosis) -> list[str]:
        """The ids of its causes and probes that a later diagnosis still shows, named or not."""
        causes = {finding.cause.id for finding in self.causes(later)}
        hidden = {each.cause for each in later.hidden}
        return sorted(causes | (self.hidden & hidden) | (self.unknown & _unknown(later)))


def _unknown(found: Diagnosis) -> frozenset[str]:
    return frozenset(seen.reading.probe for seen in found.unknown)
