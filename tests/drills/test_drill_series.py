"""Drills in a row: each is run once, a failure stops none, and a series that was cut off goes on."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills import drill_series
from lakeproof.drills import report as drill_report
from lakeproof.drills.bound_checks import Judged
from lakeproof.drills.drill_series import needed_by_it_alone, run_series, smallest_first
from lakeproof.drills.phases import Phase, PhaseRecord
from lakeproof.drills.plan import make_plan
from lakeproof.drills.report import AlertTimes, DrillReport
from lakeproof.repairs.running import StepDone
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.components import all_components

VERDICTS = {"a": Outcome.PASSED, "b": Outcome.FAILED, "c": Outcome.PASSED}


@pytest.fixture(autouse=True)
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit from which no file differs."""
    code_is("abc", monkeypatch)


def code_is(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (drill_series, drill_report):
        monkeypatch.setattr(module, "commit_of_code", lambda: commit)


class Runner:
    """Runs toy drills, and leaves their reports as a real one does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Path]] = []

    def run(self, name: str, folder: Path) -> DrillReport:
        self.asked.append((name, folder))
        report = DrillReport(name, 5, "drill", verdict=VERDICTS[name], root_cause=f"{name}_down")
        report.reasons = ["why | so"] if name == "b" else []
        report.mitigations = [StepDone("mend", 1, Outcome.PASSED, "", {"what": name, "limit": 0})] * 2
        began = datetime.now(UTC)
        report.phases = [PhaseRecord(Phase.DIAGNOSE, began, 2.0, Outcome.PASSED, "")]
        report.alerts = [AlertTimes("A", 9.5, None), AlertTimes("B", None, None)]
        counts = {"acknowledged": 1500.0, "lost": 2.0 if name == "b" else 0.0}
        report.checks = [Judged("no_order_lost", Verdict("claim", VERDICTS[name], "", counts))]
        report.write(folder)
        return report


def test_a_series_goes_on_after_a_failure_and_passes_only_where_all_do(tmp_path: Path) -> None:
    runner = Runner()
    series = run_series(list(VERDICTS), tmp_path, 5, runner.run)
    assert runner.asked == [(name, tmp_path / name) for name in VERDICTS]
    assert series.verdict == "failed"
    told = json.loads((tmp_path / "report.json").read_text())
    assert [row["verdict"] for row in told["drills"]] == ["passed", "failed", "passed"]
    assert run_series(["a", "c"], tmp_path / "other", 5, runner.run).verdict == "passed"
    assert run_series([], tmp_path, 5, runner.run).verdict == "unknown"


def test_its_table_tells_times_orders_and_what_is_wrong_in_the_data(tmp_path: Path) -> None:
    lines = run_series(list(VERDICTS), tmp_path, 5, Runner().run).lines()
    assert lines[0] == "# Drills: failed, 2 of 3 passed, seed 5, 6 s"
    assert lines[-2] == "| b | failed | b_down | mend what=b | 9.5 | 2.0 |  |  | 1,500 | 2 lost | 2 | why \\| so |"


@pytest.mark.parametrize("counted", ["oversold", "violations"])
def test_its_table_tells_of_every_kind_of_wrong_data_and_not_of_rows_alone(tmp_path: Path, counted: str) -> None:
    report = DrillReport("a", 5, "drill")
    report.checks = [Judged("no_order_lost", Verdict("", Outcome.FAILED, "", {"acknowledged": 9, counted: 3}))]
    assert f" 3 {counted} " in run_series(["a"], tmp_path, 5, lambda *_: report).lines()[-1]


def test_a_series_that_was_cut_off_goes_on_and_runs_again_what_failed_or_had_another_seed(tmp_path: Path) -> None:
    run_series(["a", "b"], tmp_path, 5, Runner().run)
    runner = Runner()
    series = run_series(list(VERDICTS), tmp_path, 5, runner.run)
    assert [name for name, _ in runner.asked] == ["b", "c"]
    assert list(series.drills) == list(VERDICTS)
    again = Runner()
    run_series(["a"], tmp_path, 6, again.run)
    assert [name for name, _ in again.asked] == ["a"]


@pytest.mark.parametrize("commit", ["abc+", "unknown"])
def test_what_passed_with_code_that_no_commit_names_is_run_again(
    tmp_path: Path, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_is(commit, monkeypatch)
    run_series(["a"], tmp_path, 5, Runner().run)
    again = Runner()
    run_series(["a"], tmp_path, 5, again.run)
    assert [name for name, _ in again.asked] == ["a"]


@pytest.mark.parametrize("played", [{"afterwards_seconds": 120.0}, {"blind": True}, {"timing": "production"}])
def test_what_passed_was_played_in_the_same_way_or_is_run_again(tmp_path: Path, played: dict[str, Any]) -> None:
    run_series(["a"], tmp_path, 5, Runner().run)
    as_before, again = Runner(), Runner()
    run_series(["a"], tmp_path, 5, as_before.run, played={"afterwards_seconds": 0.0, "blind": False})
    run_series(["a"], tmp_path, 5, again.run, played=played)
    assert [as_before.asked, [name for name, _ in again.asked]] == [[], ["a"]]


def test_what_needs_the_fewest_components_comes_first() -> None:
    scenarios = load_catalog().scenarios
    order = smallest_first({name: one.components for name, one in scenarios.items()})
    assert sorted(order) == sorted(scenarios)
    assert order.index("connector-failure") < order.index("cassandra-node-down")


def test_between_two_drills_it_is_told_what_is_done_and_what_else_the_series_plays(tmp_path: Path) -> None:
    told: list[tuple[str, list[str]]] = []
    run_series(list(VERDICTS), tmp_path, 5, Runner().run, lambda done, others: told.append((done, list(others))))
    assert told == [("a", ["b", "c"]), ("b", ["a", "c"])]
    # What passed before is not run again, and the last drill leaves the stack as it is.
    told.clear()
    run_series(list(VERDICTS), tmp_path, 5, Runner().run, lambda done, others: told.append((done, list(others))))
    assert told == [("b", ["a", "c"])]


def test_a_second_trino_is_needed_by_the_one_cause_alone() -> None:
    catalog, components = load_catalog(), all_components()
    names = ("trino-backlog:trino_2_down", "trino-backlog", "replication-lag")
    second, own, other = (make_plan([catalog.scenario(name)]) for name in names)
    assert needed_by_it_alone(second, [own, other], (), components) == ["trino-2"]
    assert needed_by_it_alone(second, [own, other], {"trino-2"}, components) == []
    assert needed_by_it_alone(second, [other, second], (), components) == []
    alone = needed_by_it_alone(second, [], (), components)
    assert alone.index("trino-2") < alone.index("nessie")


def test_no_series_ends_the_lake_before_the_shops_drills() -> None:
    """Its job would have to stop with a savepoint, for which its workers must still run."""
    catalog, components = load_catalog(), all_components()
    plans = {scenario.name: make_plan([scenario]) for scenario in catalog.played}
    ended = {
        name: needed_by_it_alone(plan, [each for other, each in plans.items() if other != name], (), components)
        for name, plan in plans.items()
    }
    assert {name: parts for name, parts in ended.items() if parts} == {
        "trino-backlog:trino_2_down": ["trino-2"],
    }
