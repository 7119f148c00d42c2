"""What a drill is to do: one scenario, or several at once whose faults are in the stack at the same time."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from lakeproof.diagnosis.cause import Step
from lakeproof.errors import InvalidInput
from lakeproof.scenarios.scenario import Budgets, Scenario, Traffic


@dataclass(frozen=True)
class DrillPlan:
    """One scenario or more, taken together: all that any of them wants, the longest times, the most traffic."""

    parts: tuple[Scenario, ...]

    @property
    def id(self) -> str:
        """As it is typed: NAME or A+B."""
        return "+".join(part.id for part in self.parts)

    @property
    def faults(self) -> tuple[Step, ...]:
        """In the order of the parts."""
        return tuple(part.fault for part in self.parts)

    @property
    def components(self) -> tuple[str, ...]:
        """What must be up."""
        return _once(name for part in self.parts for name in part.components)

    @property
    def touches(self) -> tuple[str, ...]:
        """What the faults and the repairs may touch."""
        return _once(name for part in self.parts for name in part.touches)

    @property
    def alerts(self) -> tuple[str, ...]:
        """That may tell of it."""
        return _once(name for part in self.parts for name in part.alerts)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Probes."""
        return _once(name for part in self.parts for name in part.evidence)

    @property
    def checks(self) -> tuple[Step, ...]:
        """Each claim once; one that two parts make with other arguments comes twice."""
        return _once(step for part in self.parts for step in part.checks)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of the scenarios."""
        return tuple(part.folder for part in self.parts)

    @property
    def budgets(self) -> Budgets:
        """The longest of each."""
        longest = {
            field.name: max(getattr(part.budgets, field.name) for part in self.parts) for field in fields(Budgets)
        }
        return Budgets(**longest)

    @property
    def traffic(self) -> Traffic:
        """The most of each."""
        most = {
            field.name: max(getattr(part.traffic, field.name) for part in self.parts) for field in fields(Traffic)
        }
        return Traffic(**most)


def make_plan(scenarios: Iterable[Scenario]) -> DrillPlan:
    """Raises: InvalidInput where two parts are one scenario or make one fault, which is recorded but once."""
    plan = DrillPlan(tuple(scenarios))
    faults = [fault.id for fault in plan.faults]
    twice = next((name for name in faults if faults.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"the fault {twice} would be made twice", where=plan.id, next_action="name scenarios with other faults"
        )
    return plan


def _once[T](values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
