"""Wrong fixes in a row: each must be turned down by a check that its truth names; one that was cut off goes on."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills import drill_series
from lakeproof.drills import report as drill_report
from lakeproof.drills.blind import draw_pairs
from lakeproof.drills.bound_checks import Judged
from lakeproof.drills.phases import Phase, PhaseRecord
from lakeproof.drills.report import DrillReport, cell
from lakeproof.drills.wrong_series import Tried, place, run_wrong_fixes, wrong_fixes
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.scenario import Scenario
from lakeproof.scenarios.truth import WrongFix
from lakeproof.stack.closure import closure
from lakeproof.stack.components import all_components

CATALOG = load_catalog()
DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(autouse=True)
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit from which no file differs."""
    for module in (drill_series, drill_report):
        monkeypatch.setattr(module, "commit_of_code", lambda: "abc")


class Runner:
    """Runs toy drills that end as `verdict` says; the first check that the truth names is judged as `judged` says."""

    def __init__(
        self,
        verdict: Outcome = Outcome.FAILED,
        reason: str | None = None,
        residue: str = "",
        judged: Outcome | None = Outcome.FAILED,
    ) -> None:
        self.verdict, self.reason, self.residue, self.judged = verdict, reason, residue, judged
        self.asked: list[tuple[str, str]] = []

    def run(self, scenario: Scenario, fix: WrongFix, folder: Path) -> DrillReport:
        self.asked.append((scenario.name, fix.id))
        report = DrillReport(scenario.name, 5, "drill", verdict=self.verdict)
        report.reasons = [self.reason or f"verify: {fix.rejected_by[0]}: it | still fires"]
        if self.judged is not None:
            report.checks = [Judged(fix.rejected_by[0], Verdict("", self.judged, "it | still fires"))]
        report.residue = [self.residue] if self.residue else []
        report.phases = [PhaseRecord(Phase.VERIFY, datetime.now(UTC), 2.0, self.verdict, "")]
        report.write(folder)
        return report


@pytest.mark.parametrize(
    ("outcome", "text", "turned_down"),
    [
        (Outcome.PASSED, "cdc.oltp is deleted", "passed"),
        (Outcome.FAILED, "waited 20 s for connector orders to be RUNNING; last seen: FAILED RUNNING", "passed"),
        (Outcome.FAILED, "could not delete it: Handle is terminating", "unknown"),
    ],
)
def test_a_fix_that_was_not_carried_out_is_not_turned_down(outcome: Outcome, text: str, turned_down: str) -> None:
    scenario, fix = next(wrong_fixes(CATALOG))
    done = {"action": fix.steps[0].id, "arguments": {}, "seconds": 1.0, "outcome": outcome.value, "text": text}
    checks = [{"check": fix.rejected_by[0], "outcome": "failed", "summary": "it still fires"}]
    report = {"verdict": "failed", "residue": [], "reasons": [], "checks": checks, "mitigations": [done]}
    tried = Tried(scenario.name, fix, report)
    assert tried.outcome == turned_down
    assert tried.by == ((fix.rejected_by[0],) if turned_down == "passed" else ())


def test_a_fix_that_only_the_second_of_two_checks_of_one_kind_turns_down_is_turned_down() -> None:
    scenario, fix = next(wrong_fixes(CATALOG))
    twice = [(fix.rejected_by[0], "passed"), (f"{fix.rejected_by[0]} (2)", "failed")]
    checks = [{"check": name, "outcome": outcome, "summary": ""} for name, outcome in twice]
    report = {"verdict": "failed", "residue": [], "reasons": [], "checks": checks, "mitigations": []}
    tried = Tried(scenario.name, fix, report)
    assert (tried.outcome, tried.by) == ("passed", (f"{fix.rejected_by[0]} (2)",))


def test_each_is_tried_once_and_the_series_passes_where_all_are_turned_down(tmp_path: Path) -> None:
    runner = Runner()
    series = run_wrong_fixes(CATALOG, tmp_path, 5, runner.run)
    wanted = [(scenario.name, fix.id) for scenario, fix in wrong_fixes(CATALOG)]
    assert runner.asked == wanted
    assert len(wanted) == len(set(wanted)) > 40
    known = all_components()
    sizes = [len(closure(CATALOG.scenario(name).components, known)) for name, _ in wanted]
    assert sizes == sorted(sizes)
    assert series.verdict == "passed"
    told = json.loads((tmp_path / "report.json").read_text())
    assert {row["turned_down"] for row in told["wrong_fixes"]} == {"passed"}
    first = told["wrong_fixes"][0]
    assert (tmp_path / first["report"]).is_file()
    assert first["by"][0] in first["reasons"][0]
    assert any(cell("it | still fires") in line and " yes " in line for line in series.lines())


@pytest.mark.parametrize(
    ("runner", "verdict"),
    [
        (Runner(Outcome.PASSED), "failed"),
        (Runner(reason="detect: no alert came", judged=None), "failed"),
        (Runner(judged=Outcome.UNKNOWN), "failed"),
        (Runner(judged=None), "failed"),
        (Runner(residue="a fault"), "failed"),
        (Runner(Outcome.UNKNOWN), "unknown"),
    ],
    ids=[
        "taken for a repair",
        "failed for another reason",
        "the named check could not be looked at",
        "the named check is told of by the wait for recovery alone",
        "fault left",
        "could not be judged",
    ],
)
def test_what_was_not_turned_down_for_its_own_reason_does_not_pass(
    tmp_path: Path, runner: Runner, verdict: str
) -> None:
    assert run_wrong_fixes(CATALOG, tmp_path, 5, runner.run).verdict == verdict


def test_a_series_that_was_cut_off_goes_on_and_tries_again_what_was_not_turned_down(tmp_path: Path) -> None:
    run_wrong_fixes(CATALOG, tmp_path, 5, Runner().run)
    scenario, fix = next(wrong_fixes(CATALOG))
    Runner(Outcome.UNKNOWN).run(scenario, fix, tmp_path / place(scenario.name, fix.id))
    again = Runner()
    assert run_wrong_fixes(CATALOG, tmp_path, 5, again.run).verdict == "passed"
    assert again.asked == [(scenario.name, fix.id)]


def test_those_that_lose_data_for_good_are_left_out() -> None:
    """An empty topic loses nothing where its job has read all, and much amid a backlog."""
    left_out = {
        (one.name, fix.id) for one in CATALOG.played for fix in CATALOG.truth(one).wrong_fixes if fix.loses_data
    }
    assert {fix for _, fix in left_out} == {
        "recreate_connector_without_data",
        "delete_what_failed",
        "drop_topic",
        "empty_topic",
        "start_from_latest",
    }
    assert ("kafka-backlog", "empty_topic") in left_out and ("replication-lag", "empty_topic") not in left_out
    assert not left_out & {(scenario.name, fix.id) for scenario, fix in wrong_fixes(CATALOG)}


def test_the_documents_say_how_many_there_are_and_that_each_is_on_record_as_turned_down() -> None:
    tried = {(scenario.name, fix.id) for scenario, fix in wrong_fixes(CATALOG)}
    everything = sum(len(CATALOG.truth(scenario).wrong_fixes) for scenario in CATALOG.played)
    record = (DOCS / "proof" / "wrong-fixes.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")] for line in record.splitlines()]
    assert {(row[1], row[2]) for row in rows if row[3:4] == ["yes"]} == tried
    assert f"Of the {everything} wrong fixes" in (DOCS / "drills.md").read_text()
    assert f"tries {len(tried)}:" in (DOCS / "drills.md").read_text()
    readme = " ".join((DOCS.parent / "README.md").read_text().split())
    assert f"All {len(tried)} wrong fixes that `drill wrong` tries are on record" in readme


def test_pairs_are_drawn_by_the_seed_and_none_twice() -> None:
    drawn = draw_pairs(CATALOG, 1, 20)
    assert drawn == draw_pairs(CATALOG, 1, 20) != draw_pairs(CATALOG, 2, 20)
    assert len({frozenset(pair.split("+")) for pair in drawn}) == 20
    assert all(len(set(pair.split("+"))) == 2 for pair in drawn)
    assert len(draw_pairs(CATALOG, 1, 1000)) == 78
