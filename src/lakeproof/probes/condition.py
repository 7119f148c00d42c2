"""A condition on a probe's readings: one of six fixed operators. Pure values; nothing is asked here."""

from dataclasses import dataclass
from enum import StrEnum

from lakeproof.probes.reading import Reading, Value


class Operator(StrEnum):
    """How a reading is judged. `grows` compares two readings of the same question."""

    IS = "=="
    IS_NOT = "!="
    BELOW = "<"
    ABOVE = ">"
    ABSENT = "absent"
    GROWS = "grows"


@dataclass(frozen=True)
class Condition:
    """`operator value`. ABSENT and GROWS take no value."""

    operator: Operator
    value: Value = None

    def __str__(self) -> str:
        if self.operator in (Operator.ABSENT, Operator.GROWS):
            return self.operator.value
        return f"{self.operator.value} {self.value}"

    def implies(self, other: "Condition") -> bool:
        """True where readings that satisfy this condition always satisfy the other one too."""
        if self == other:
            return True
        if self.operator is Operator.IS:
            return other.operator is not Operator.GROWS and other._satisfied(self.value)
        if self.operator is not other.operator:
            return False
        if not isinstance(self.value, int | float) or not isinstance(other.value, int | float):
            return False
        above, below = self.operator is Operator.ABOVE, self.operator is Operator.BELOW
        return (above and self.value >= other.value) or (below and self.value <= other.value)

    def holds(self, first: Reading, second: Reading) -> bool | None:
        """True where both readings satisfy the condition, False where one does not, None where one has no answer.

        Both have to, so that a moment (a restart, a slow answer) is not taken for a state.
        """
        if not first.answered or not second.answered:
            return None
        if self.operator is Operator.GROWS:
            return _number(second.value) > _number(first.value) if _comparable(first, second) else False
        return all(self._satisfied(reading.value) for reading in (first, second))

    def _satisfied(self, value: Value) -> bool:
        if self.operator is Operator.ABSENT:
            return value is None
        if self.operator is Operator.IS:
            return value == self.value
        if self.operator is Operator.IS_NOT:
            return value is not None and value != self.value
        if not isinstance(value, int | float) or not isinstance(self.value, int | float):
            return False
        return value < self.value if self.operator is Operator.BELOW else value > self.value


def _comparable(first: Reading, second: Reading) -> bool:
    return isinstance(first.value, int | float) and isinstance(second.value, int | float)


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
