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
        """The evidence itself, alone. An AnyOf has several alternatives, and is judged by the same code."""
        return (self,)

    def __str__(self) -> str:
        return f"{self.probe} {self.condition}"


@dataclass(frozen=True)
class AnyOf:
    """Evidence that holds where at least one of its alternatives does."""

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

    A diagnosis names the cause where each entry of `necessary` holds, no entry of `contradicting` does, and no cause
    in `masked_by` accounts for it.
    explains: further probes that may be out of range, or unanswered, because of this cause. A probe that is only
    evidence of the cause is explained only where that evidence is seen.
    outage: the cause keeps a component from its work. An outage does not explain an answer that only somebody's act
    brings about (Probe.steady): a connector that somebody paused is a trouble of its own even while Kafka is down.
    repairs: the steps in the order in which they are run; empty: a person has to look.
    of_all: the cause concerns every component. Evidence about components outside the stack is left out of it.
    subject: the words (nouns.py) of the source, database, node or component that the cause is about; empty: of none.
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
