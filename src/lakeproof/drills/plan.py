"""What a drill is to do: one scenario, or several at once whose faults are in the stack at the same time."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof.diagnosis.cause import Step
from lakeproof.errors import InvalidInput
from lakeproof.scenarios.scenario import Budgets, Scenario, Traffic

# At six calls and a purchase a second the whole shop with a drill's windows was seen to fill two cores. What is late
# then is late in truth, and a drill of false alarms tells of that. (At half of both they were nearly as full.)
CALM_SHARE = 0.5


@dataclass(frozen=True)
class DrillPlan:
    """One scenario or more, taken together: all that any of them asks for, the longest times, and as much traffic as
    what is up bears.

    beside: scenarios that are not played, whose components are up as well. calm: nothing is to be
    noticed, so shoppers come half as often as where they come the least.
    """

    parts: tuple[Scenario, ...]
    beside: tuple[Scenario, ...] = ()
    calm: bool = False

    @property
    def id(self) -> str:
        """The plan as a person types it: NAME, NAME:CAUSE or A+B."""
        return "+".join(part.name for part in self.parts)

    @property
    def faults(self) -> tuple[Step, ...]:
        """The faults, in the order of the parts."""
        return tuple(part.fault for part in self.parts)

    @property
    def components(self) -> tuple[str, ...]:
        """Components that must be up."""
        return _once(name for part in (*self.parts, *self.beside) for name in part.components)

    @property
    def touches(self) -> tuple[str, ...]:
        """Components that the faults and the repairs may touch."""
        return _once(name for part in self.parts for name in part.touches)

    @property
    def alerts(self) -> tuple[str, ...]:
        """Alerts that may tell of the faults."""
        return _once(name for part in self.parts for name in part.alerts)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Probes that show the incident."""
        return _once(name for part in self.parts for name in part.evidence)

    @property
    def checks(self) -> tuple[Step, ...]:
        """Each check once; a check that two parts make with different arguments comes twice."""
        return _once(step for part in self.parts for step in part.checks)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the scenarios."""
        return _once(part.folder for part in self.parts)

    @property
    def budgets(self) -> Budgets:
        """The longest time of each phase."""
        return Budgets(**_most(part.budgets for part in self.parts))

    @property
    def traffic(self) -> Traffic:
        """The most of each figure where the path is up alone.

        Beside the whole shop two cores bear far fewer calls. So shoppers come as the calmest scenario asks that buys
        there, for as many orders, but at least as often as a fault needs to show. Of a calm plan half of that.
        """
        asked = [part.traffic for part in (*self.parts, *self.beside)]
        buying = [traffic for traffic in asked if traffic.purchases]
        most = Traffic(**_most(asked))
        if not self.calm and not buying:
            return most
        calmest = min(buying or asked, key=lambda traffic: traffic.rate)
        share = CALM_SHARE if self.calm else 1
        needed = 0 if self.calm else max(part.traffic.least_rate for part in self.parts)
        return most.model_copy(
            update={
                "rate": max(calmest.rate * share, needed),
                "purchases": most.purchases * share,
                "orders": calmest.orders,
            }
        )


def make_plan(scenarios: Iterable[Scenario]) -> DrillPlan:
    """The plan of these scenarios.

    Raises: InvalidInput where two parts make the same fault with the same arguments: it can be in only once.
    """
    plan = DrillPlan(tuple(scenarios))
    twice = next((fault for fault in plan.faults if plan.faults.count(fault) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"the fault {twice.id} would be made twice",
            where=plan.id,
            next_action="name scenarios with other faults",
        )
    return plan


def _most(parts: Iterable[Budgets | Traffic]) -> dict[str, Any]:
    """The largest value of each field."""
    values = [dict(part) for part in parts]
    return {name: max(each[name] for each in values) for name in values[0]}


def _once[T](values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
