"""What a diagnosis proposes is a repair that the truth accepts, whole and nothing beside it; a wrong fix is none."""

from pathlib import Path

import pytest

from lakeproof.diagnosis.cause import Step
from lakeproof.drills.order import steps_of
from lakeproof.drills.other_repairs import other_repairs
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.scenario import Scenario
from lakeproof.stack.closure import closure
from lakeproof.stack.components import all_components

CATALOG = load_catalog()


@pytest.mark.parametrize("scenario", CATALOG.played, ids=lambda one: one.name)
def test_the_diagnosed_repair_is_accepted(scenario: Scenario) -> None:
    truth = CATALOG.truth(scenario)
    cause = CATALOG.cause(truth.root_cause)
    assert cause is not None
    assert set(CATALOG.repair(cause.repairs, cause.id)) in [set(repair) for repair in truth.accepted_repairs]


def test_each_accepted_repair_is_the_diagnosed_one_or_drilled_by_itself() -> None:
    drilled = {(one.scenario.name, one.steps) for one in other_repairs(CATALOG).values()}
    for scenario in CATALOG.played:
        truth = CATALOG.truth(scenario)
        cause = CATALOG.cause(truth.root_cause)
        assert cause is not None
        proposed = set(CATALOG.repair(cause.repairs, cause.id))
        beside = [steps for steps in truth.accepted_repairs if set(steps) != proposed]
        assert all((scenario.name, steps) in drilled for steps in beside)
        assert len(beside) == len(truth.accepted_repairs) - 1


def test_an_accepted_repair_can_be_asked_for_by_its_step() -> None:
    redis_hung = CATALOG.scenario("support-timeline:redis_hung")
    restart = (Step("restart_component", (("component", "redis"),)),)
    assert steps_of(CATALOG, redis_hung, "restart-component") == restart


def test_no_wrong_fix_restarts_what_starts_the_stopped_component_too() -> None:
    """To start a component starts what it needs and uses: the fault would be mended."""
    stopped = [one for one in CATALOG.played if one.fault.id == "stopped_process"]
    assert len(stopped) > 2
    for scenario in stopped:
        for fix in CATALOG.truth(scenario).wrong_fixes:
            named = [str(step.arguments["component"]) for step in fix.steps if step.id == "restart_component"]
            started = {one for name in named for one in closure([name], all_components())}
            assert scenario.fault.arguments["component"] not in started, f"{scenario.name}: {fix.id}"


def test_the_page_of_the_proof_has_a_row_for_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proof" / "repairs.md").read_text()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if " | passed | " in line]
    assert sorted(rows) == sorted(one.scenario.name for one in other_repairs(CATALOG).values())
