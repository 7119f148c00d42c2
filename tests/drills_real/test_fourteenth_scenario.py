"""A fourteenth scenario, a folder outside the package that comes while the stack runs, with a probe, a cause, a fault
and a repair of its own: alert, drill, runbook.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import own_scenario
from tests.drills_real.health import await_health
from tests.drills_real.outside_scenario import ALERT, CAUSE, NAME, REPAIR, write_scenario

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack, load_stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]


def known_alerts(stack: Stack) -> set[str]:
    """The names of the alerts that Prometheus evaluates now."""
    answer = httpx.get(
        f"{stack.url('prometheus')}/api/v1/rules", params={"type": "alert"}, trust_env=False, timeout=10
    )
    return {rule["name"] for group in answer.json()["data"]["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def outside(whole_stack: Stack, lakeproof: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the settings name, empty so far. The drills' stack runs with these settings, and is healthy."""
    folder = tmp_path_factory.mktemp("scenarios")
    with pytest.MonkeyPatch.context() as environment:
        # Other settings than its daemon was started with.
        SupervisorClient(whole_stack).down()
        environment.setenv("LAKEPROOF_SCENARIO_DIRS", json.dumps([str(folder)]))
        try:
            SupervisorClient(load_stack()).up()
            await_health(lakeproof)
            yield folder
        finally:
            SupervisorClient(whole_stack).down()


def test_a_folder_that_comes_while_the_stack_runs_is_a_scenario_that_passes(
    outside: Path, whole_stack: Stack, drill: Run, lakeproof: Run
) -> None:
    assert lakeproof("drill", NAME, seconds=60).code == 2
    assert "CdcReplicationLagHigh" in (before := known_alerts(whole_stack)) and ALERT not in before
    folder = write_scenario(outside)
    shown = lakeproof("runbook", "show", NAME, "--lang", "vi", seconds=60)
    assert (shown.code, "Giới hạn phiên bị hạ" in shown.out) == (0, True), shown.err

    done = drill(NAME)
    report = done.report
    print(
        "a fourteenth scenario:", [(phase["name"], phase["seconds"]) for phase in report["phases"]], report["alerts"]
    )
    assert (done.code, report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert known_alerts(whole_stack) - before == {ALERT}
    assert [(alert["name"], alert["fired_after_seconds"] is not None) for alert in report["alerts"]] == [
        (ALERT, True)
    ]
    assert report["root_cause"] == CAUSE
    assert [each["action"] for each in report["mitigations"]] == [REPAIR]
    assert [report["data"][name] for name in ("lost", "duplicated", "stale", "phantom")] == [0, 0, 0, 0]
    assert report["residue"] == []
    incident = json.loads(lakeproof("incident", "show", report["incident"], "--json", seconds=60).out)
    assert ALERT in [alert["name"] for alert in incident["alerts"]]
    assert incident["use_cases"] != []
    assert folder.is_dir()
    await_health(lakeproof)


def test_the_six_files_of_the_page_are_a_scenario_that_passes(outside: Path, drill: Run) -> None:
    """docs/your-own-scenario.md: nothing but data, and the fault, cause and repair of the package."""
    own_scenario.write_from_the_page(outside)
    done = drill(own_scenario.NAME)
    report = done.report
    print("by six files:", [(phase["name"], phase["seconds"]) for phase in report["phases"]], report["alerts"])
    assert (done.code, report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert report["root_cause"] == "mysqld_exporter_hung"
    assert [report["data"][name] for name in ("lost", "duplicated", "stale", "phantom")] == [0, 0, 0, 0]
    assert report["residue"] == []
