"""What is drilled on the whole stack: all of it by `make proof`; by each commit some scenarios and a wrong fix."""

import subprocess
from pathlib import Path

import pytest
from tests.drills_real.commit import commit, number_of
from tests.drills_real.scenarios import OFTEN_GREEN, chosen_scenarios
from tests.drills_real.wrong_fixes import WRONG_FIXES, chosen_by

from lakeproof.scenarios.catalog import load_catalog


def test_every_wrong_fix_of_every_scenario_is_run_but_those_that_lose_data() -> None:
    catalog = load_catalog()
    fixes = {
        (scenario.name, fix.id)
        for scenario in catalog.played
        for fix in catalog.truth(scenario).wrong_fixes
        if not fix.loses_data
    }
    assert {(one.scenario, one.fix) for one in WRONG_FIXES} == fixes
    assert {one.quick for one in WRONG_FIXES} == {True, False}


def test_a_commit_chooses_always_the_same_and_commits_choose_all_quick_ones() -> None:
    commits = [f"{number:040x}" for number in range(100)]
    chosen = [chosen_by(each) for each in commits]
    assert chosen == [chosen_by(each) for each in commits]
    assert set(chosen) == {one for one in WRONG_FIXES if one.quick}


def test_the_parts_of_the_scenarios_have_none_twice_and_commits_choose_every_part() -> None:
    names = [name for part in OFTEN_GREEN for name in part]
    assert len(names) == len(set(names))
    assert set(names) <= set(load_catalog().scenarios)
    commits = [f"{number:040x}" for number in range(100)]
    assert {chosen_scenarios(number_of(each)) for each in commits} == set(OFTEN_GREEN)


def test_without_git_it_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit(tmp_path) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chosen_by(commit()) == next(one for one in WRONG_FIXES if one.quick)


def test_the_commit_is_that_of_the_clone(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    assert commit(tmp_path) == ""
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
