"""A root cause as data: what must be seen, what speaks for it, what rules it out, what hides it, what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeproof.diagnosis.nouns import Subject
from lakeproof.probes.condition import Condition


@dataclass(frozen=True)
class Evidence:
    """A condition on the readings of one probe."""

    probe: str
    condition: Condition

    @property
    def alternatives(self) -> "tuple[Evidence, ...]":
        """Itself alone (see AnyOf)."""
        return (self,)

    def __str__(self) -> str:
        return f"{self.probe} {self.condition}"


@dataclass(frozen=True)
class AnyOf:
    """Evidence that holds where one at least of its alternatives does."""

    alternatives: tuple[Evidence, ...]


@dataclass(frozen=True)
class Step:
    """An action by its id, with its arguments."""

    id: str
    args: tuple[tuple[str, Any], ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name."""
        return dict(self.args)


@dataclass(frozen=True)
class Cause:
    """One root cause.

    A diagnosis names it where each entry of `necessary` holds, nothing of `contradicting` does, and no cause in
    `masked_by` accounts for it.
    explains: probes that may be out of range, or unanswered, because of this cause. What it states as evidence, it
    explains only where that evidence is seen.
    outage: a component does not do its work. It explains no answer that only somebody's act brings about
    (Probe.steady): behind a dead Kafka, a connector that somebody paused is another trouble.
    repairs: in the order in which they are run; none: a person has to look.
    of_all: the necessary evidence is only what concerns components that are part of the stack.
    subject: the words of the source, database, node or component that it is the cause of; empty: of no single one.
    """

    id: str
    scenario: str
    says: Mapping[str, str]
    necessary: tuple[Evidence | AnyOf, ...]
    supporting: tuple[Evidence, ...]
    contradicting: tuple[Evidence, ...]
    masked_by: tuple[str, ...]
    explains: tuple[str, ...]
    repairs: tuple[Step, ...]
    of_all: bool = False
    outage: bool = False
    subject: Subject = field(default_factory=dict, hash=False)

    @property
    def alternatives(self) -> tuple[Evidence, ...]:
        """The necessary evidence, every alternative of it."""
        return tuple(one for item in self.necessary for one in item.alternatives)

    @property
    def probes(self) -> set[str]:
        """Every probe whose reading this cause may account for."""
        return {evidence.probe for evidence in (*self.alternatives, *self.supporting)} | set(self.explains)

    @property
    def asked(self) -> set[str]:
        """Every probe that must be asked to judge this cause."""
        return self.probes | {evidence.probe for evidence in self.contradicting}
