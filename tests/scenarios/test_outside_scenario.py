"""Scenarios beside the package: the one of the proof on the whole stack is complete and its rule fits drill timing;
one that brings its own probe, cause, fault and repair has all of them used with no edit elsewhere.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.drills_real.outside_scenario import (
    ALERT,
    CAUSE,
    FAULT,
    NAME,
    PROBE,
    REPAIR,
    SCENARIO,
    TRUTH,
    WRONG_FIX,
    write_scenario,
)

from lakeproof.checks.verdict import Outcome
from lakeproof.console.scenario_facts import read_facts
from lakeproof.diagnosis.diagnosis import Diagnosis
from lakeproof.diagnosis.examination import examined
from lakeproof.incidents.use_cases import find_use_cases
from lakeproof.observability.rules import find_rules, render_rules
from lakeproof.observability.runbook import all_runbooks, find_runbook
from lakeproof.observability.scenario_homes import find_scenario
from lakeproof.observability.timing import factor_of
from lakeproof.probes.looking import observe
from lakeproof.processes.parts import Parts
from lakeproof.repairs.running import run_step
from lakeproof.scenarios.catalog import Catalog, load_catalog
from lakeproof.scenarios.pages import page
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_it_loads_with_a_cause_that_has_its_repair(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    catalog = load_catalog((tmp_path,))
    scenario = catalog.scenario(NAME)
    cause = catalog.cause(CAUSE)
    assert cause is not None and [step.id for step in cause.repairs] == [REPAIR]
    assert catalog.truth(scenario).wrong_fix(WRONG_FIX) is not None
    # All of them its own: the package has none of these.
    package, own = load_catalog(), (catalog.probes[PROBE], catalog.faults[FAULT], catalog.mitigations[REPAIR])
    assert all(own) and package.cause(CAUSE) is None
    assert not {PROBE, FAULT, REPAIR} & {*package.probes, *package.faults, *package.steps}
    assert find_use_cases(NAME, (tmp_path,)) == ["finance-reconciliation"]


@pytest.mark.parametrize("itself", [True, False], ids=["the folder itself", "the folder that holds it"])
def test_drill_rules_desk_and_console_find_it_alike(tmp_path: Path, itself: bool) -> None:
    folder = write_scenario(tmp_path)
    further = (folder if itself else tmp_path,)
    assert NAME in load_catalog(further).scenarios
    assert NAME in [file.name for file in find_rules(further)]
    assert find_scenario(NAME, further) == folder
    assert find_use_cases(NAME, further) == ["finance-reconciliation"]
    assert find_runbook(NAME, "vi", further) and NAME in dict(all_runbooks(further))
    facts = read_facts(further)
    assert NAME in facts.touching["mysql"] and NAME in facts.hitting["finance-reconciliation"]


def test_a_scenario_file_that_nobody_may_read_ends_no_round_of_the_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenario(tmp_path)

    def refuse(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    assert find_use_cases(NAME, (tmp_path,)) == []


@pytest.mark.parametrize("text", ["other_causes:", "touches: 5", "other_causes: [once]", "- a list", "touches: [{}]"])
def test_a_file_that_is_not_valid_is_left_out_of_the_pages_alone(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_scenario(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scenario.yaml").write_text(text)
    facts = read_facts((tmp_path,))
    assert folder.name in facts.touching["mysql"] and "replication-lag" in facts.touching["connect"]
    assert text == "other_causes:" or "broken" in caplog.text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_its_rule_is_one_that_prometheus_takes_in_drill_timing(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    text = render_rules(find_rules((tmp_path,)), factor_of("drill"))[f"{NAME}.yml"]
    assert ALERT in text and "for: 25s" in text
    (tmp_path / "rules.yml").write_text(text)
    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# Somebody's nightly export leaves its lock behind. Nothing of the package knows of it.
OWN = {
    "probes": """
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe


def held(stack, timeout):
    return "held" if (stack.state_dir / "export.lock").exists() else "free"


PROBES = (Probe("export-lock", "publisher", "ls export.lock", "", held, Condition(Operator.IS, "free"), steady=True),)
""",
    "faults": """
from lakeproof.faults.fault import Fault, Sign


def lock(stack):
    return stack.state_dir / "export.lock"


class LeftExportLock(Fault):
    "Leave the lock of the export behind."

    def inject(self, stack):
        lock(stack).touch()

    def remove(self, stack):
        lock(stack).unlink(missing_ok=True)

    def sign(self, stack):
        return Sign(lock(stack).exists(), str(lock(stack)))
""",
    "repairs": """
from lakeproof.mitigations.mitigation import Mitigation


class ReleaseExportLock(Mitigation):
    "Remove the lock."

    def typed(self, stack):
        return "rm export.lock"

    def run(self, stack):
        (stack.state_dir / "export.lock").unlink(missing_ok=True)
        return "the lock is gone"
""",
}
OWN_CAUSE = {
    "id": "export_lock_left",
    "says": {"vi": "Khoá của export còn sót lại.", "en": "The export has left its lock behind."},
    "necessary": [{"probe": "export-lock", "op": "==", "value": "held"}],
    "repairs": [{"id": "release_export_lock"}],
}


def test_one_with_a_probe_a_cause_a_fault_and_a_repair_of_its_own_needs_no_edit_elsewhere(tmp_path: Path) -> None:
    folder = write_scenario(tmp_path)
    truth = {**TRUTH, "root_cause": "export_lock_left", "accepted_repairs": [{"id": "release_export_lock"}]}
    scenario = {**SCENARIO, "fault": {"id": "left_export_lock"}, "evidence": ["export-lock"]}
    for name, data in (("scenario", scenario), ("truth", truth), ("causes", {"causes": [OWN_CAUSE]})):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))
    for name, text in OWN.items():
        (folder / f"{name}.py").write_text(text)
    catalog, stack = load_catalog((tmp_path,)), Stack(Settings(state_dir=tmp_path))
    assert not diagnosed(catalog, stack).findings
    fault = catalog.faults[catalog.scenario(NAME).fault.id]()
    fault.inject(stack)
    assert fault.sign(stack).holds
    (found,) = diagnosed(catalog, stack).findings
    assert found.cause.id == catalog.truth(catalog.scenario(NAME)).root_cause
    done = run_step(stack, catalog.mitigations, found.cause.repairs[0], lambda typed: None, lambda text: None)
    assert done.outcome is Outcome.PASSED
    assert not diagnosed(catalog, stack).findings
    assert "export-lock == held" in page(catalog.scenario(NAME), catalog.causes, "en")


def diagnosed(catalog: Catalog, stack: Stack) -> Diagnosis:
    """As `lakeproof diagnose` does, over its own probe alone: no server runs here."""
    own = {"export-lock": catalog.probes["export-lock"]}
    return examined(
        catalog.causes,
        own,
        lambda probes, again: observe(stack, probes, again, pause_seconds=0),
        lambda: Parts(frozenset({"publisher"})),
    ).diagnosis
