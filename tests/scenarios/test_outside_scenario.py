"""The scenario that the proof on the whole stack puts beside the package: complete, its rule fits drill timing."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.drills_real.outside_scenario import ALERT, CAUSE, NAME, REPAIR, WRONG_FIX, write_scenario

from lakeproof.incidents.use_cases import find_use_cases
from lakeproof.observability.rules import find_rules, render_rules
from lakeproof.observability.timing import factor_of
from lakeproof.scenarios.catalog import load_catalog


def test_it_loads_with_a_cause_that_has_its_repair(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    catalog = load_catalog((tmp_path,))
    scenario = catalog.scenario(NAME)
    cause = catalog.cause(CAUSE)
    assert cause is not None and [step.id for step in cause.repairs] == [REPAIR]
    assert catalog.truth(scenario).wrong_fix(WRONG_FIX) is not None
    assert find_use_cases(NAME, (tmp_path,)) == ["finance-reconciliation"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_its_rule_is_one_that_prometheus_takes_in_drill_timing(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    text = render_rules(find_rules((tmp_path,)), factor_of("drill"))[f"{NAME}.yml"]
    assert ALERT in text and "5s" in text
    (tmp_path / "rules.yml").write_text(text)
    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
