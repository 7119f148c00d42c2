"""What is drilled on the whole stack: all of it by `make proof`; by each commit some scenarios and a wrong fix."""

import subprocess
from datetime import date
from pathlib import Path

import pytest
from tests.commit import commit, commits_so_far, number_of
from tests.drills_real.scenarios import chosen_scenarios
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


def test_three_commits_in_a_row_drill_every_scenario_once() -> None:
    names = [name for number in range(7, 10) for name in chosen_scenarios(number)]
    assert sorted(names) == sorted(load_catalog().scenarios)


def test_without_git_it_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (commit(tmp_path), commits_so_far(tmp_path)) == ("", date.today().toordinal())
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
    assert commits_so_far(tmp_path) == 1
    git("commit", "-q", "--allow-empty", "-m", "second")
    assert commits_so_far(tmp_path) == 2
    shallow = tmp_path / "shallow"
    git("clone", "-q", "--depth", "1", f"file://{tmp_path}", str(shallow))
    assert commits_so_far(shallow) == number_of(commit(shallow)) > 2
