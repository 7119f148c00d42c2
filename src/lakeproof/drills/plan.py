"""What a drill plays: one scenario, or several whose faults are in the stack at the same time."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof.diagnosis.cause import Step
from lakeproof.errors import InvalidInput
from lakeproof.scenarios.scenario import Budgets, Scenario, Traffic

# The share of the usual load in a calm plan. At six calls and a purchase a second the whole shop with a drill's
# windows was seen to fill two cores: answers are then really late, and a drill of false alarms would report that. (At
# half of both, the cores were nearly as full.)
CALM_SHARE = 0.5


@dataclass(frozen=True)
class DrillPlan:
    """One scenario or more, taken together: the union of what they ask for, and the longest times.

    beside: scenarios that are not played, whose components are up as well.
    calm: nothing may be noticed, so the load is CALM_SHARE of the lightest traffic (see `traffic`).
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
        """The largest value of each field. A calm plan has half of the lowest rate and of the purchases, and the
        number of orders of the scenario with the lowest rate.

        Where shoppers make purchases, the whole shop is up, and two cores bear far fewer calls. Then rate and orders
        come from the scenarios with purchases alone, but a fault that only shows under calls gets its least_rate.
        Components that are up for other reasons than this plan change nothing.
        """
        asked = [part.traffic for part in (*self.parts, *self.beside)]
        most = Traffic(**_most(asked))
        needed = 0.0 if self.calm else max(part.traffic.least_rate for part in self.parts)
        rate, purchases, orders = most.rate, most.purchases, most.orders
        if self.calm:
            calmest = min(asked, key=lambda traffic: traffic.rate)
            rate, purchases, orders = calmest.rate * CALM_SHARE, purchases * CALM_SHARE, calmest.orders
        elif buying := [traffic for traffic in asked if traffic.purchases]:
            rate, orders = max(max(one.rate for one in buying), needed), max(one.orders for one in buying)
        return most.model_copy(update={"rate": rate, "least_rate": needed, "purchases": purchases, "orders": orders})


def make_plan(scenarios: Iterable[Scenario]) -> DrillPlan:
    """The plan of these scenarios.

    Raises: InvalidInput where two parts make the same fault with the same arguments: it can be injected only once.
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
