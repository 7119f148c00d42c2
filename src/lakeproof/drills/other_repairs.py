"""Repairs that a truth accepts and no diagnosis proposes: a person may choose one, so each of them has to work."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lakeproof.diagnosis.cause import Step
from lakeproof.drills.drill_series import smallest_first
from lakeproof.repairs.running import step_in_words
from lakeproof.scenarios.catalog import Catalog
from lakeproof.scenarios.scenario import Scenario

REPAIRS = "repairs"


@dataclass(frozen=True)
class OtherRepair:
    """A scenario, played by one of its causes, and the steps that repair it in the place of the diagnosed ones."""

    scenario: Scenario
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Scenario and steps, as the name of the drill's folder in a series."""
        words = "-".join(step_in_words(step.id, step.arguments) for step in self.steps)
        return f"{self.scenario.name}/{re.sub(r'[^a-z0-9_]+', '-', words.lower()).strip('-')}"


def other_repairs(catalog: Catalog) -> Mapping[str, OtherRepair]:
    """All other repairs by name, in the order of `drill all` (fewest components first). Raises: InvalidInput."""
    found: dict[str, OtherRepair] = {}
    for scenario in catalog.played:
        truth = catalog.truth(scenario)
        cause = catalog.cause(truth.root_cause)
        diagnosed = set(catalog.repair(cause.repairs, cause.id)) if cause is not None else set()
        for steps in truth.accepted_repairs:
            if set(steps) != diagnosed:
                other = OtherRepair(scenario, steps)
                found[other.name] = other
    needs = {name: one.scenario.components for name, one in found.items()}
    return {name: found[name] for name in smallest_first(needs)}
