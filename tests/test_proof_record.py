"""The plugin that makes `make proof` resumable, over a small clone of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.proof_rows import FILE
from tests.proof_table import PAGE

HERE = Path(__file__).parent
TESTS = """
import os, pathlib, pytest
pytestmark = pytest.mark.proof

def test_right(): pass

def test_wrong(): assert pathlib.Path("mended").exists()

def test_cut_off():
    if pathlib.Path("kill").exists():
        os.kill(os.getpid(), 9)

@pytest.fixture
def breaks_at_the_end():
    yield
    assert pathlib.Path("mended").exists()

def test_left_something(breaks_at_the_end): pass
"""
# One test after which somebody does something to the clone, and one more.
MEANWHILE = """
import pathlib, subprocess, pytest
pytestmark = pytest.mark.proof

def test_before(): pass

def test_meanwhile(): {}

def test_after(): pass
"""
OWN = '"git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "other"'


class Clone:
    """A repository with four tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\nmarkers = proof: long\n")
        (folder / "test_it.py").write_text(TESTS)
        (folder / ".gitignore").write_text("mended\nkill\nseen\n__pycache__/\n.pytest_cache/\n")
        self.git("init", "-q")
        self.commit("first")

    def git(self, *words: str) -> str:
        own = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(("git", *own, *words), cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def prove(self, marker: str = "proof", *more: str) -> subprocess.CompletedProcess[str]:
        command = (
            sys.executable,
            "-m",
            "pytest",
            *("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:asyncio"),
            "-q",
            "-p",
            "tests.proof_record",
            "-p",
            "no:cacheprovider",
            "-m",
            marker,
            *more,
        )
        # `src` too: these tests and the package that they use are of one clone, whichever clone is installed.
        code = os.pathsep.join(str(HERE.parent / folder) for folder in (".", "src"))
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": code, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def rows(self) -> list[dict[str, Any]]:
        lines = (self.folder / FILE).read_text().splitlines()
        return [json.loads(line) for line in lines]

    def outcomes(self) -> list[tuple[str, str]]:
        return [(row["what"].removeprefix("test_it.py::test_"), row["outcome"]) for row in self.rows()]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


FIRST = [("right", "passed"), ("wrong", "failed"), ("cut_off", "passed"), ("left_something", "failed")]


def test_a_second_run_of_one_commit_runs_only_what_did_not_pass(clone: Clone) -> None:
    assert clone.prove().returncode == 1
    assert clone.outcomes() == FIRST
    (clone.folder / "mended").touch()
    again = clone.prove()
    assert again.returncode == 0
    assert clone.outcomes()[4:] == [("wrong", "passed"), ("left_something", "passed")]
    commit = clone.git("rev-parse", "--short=12", "HEAD")
    assert {row["commit"] for row in clone.rows()} == {commit}
    # The table holds all four, those of the first run too.
    assert again.stdout.count(f"| {commit} | passed |") == 4
    nothing_left = clone.prove()
    assert (nothing_left.returncode, len(clone.rows())) == (0, 6)


def test_another_commit_is_proven_anew(clone: Clone) -> None:
    clone.prove()
    (clone.folder / "more.txt").touch()
    clone.commit("second")
    clone.prove()
    assert clone.outcomes() == FIRST * 2


def test_a_run_that_is_killed_goes_on_where_it_was(clone: Clone) -> None:
    (clone.folder / "kill").touch()
    assert clone.prove().returncode == -9
    assert clone.outcomes() == FIRST[:2]
    with (clone.folder / FILE).open("a") as file:
        file.write('{"what": "test_it.py::test_ri')  # the machine went down as well
    (clone.folder / "kill").unlink()
    clone.prove()
    assert clone.outcomes() == [*FIRST[:2], *FIRST[1:]]  # the part of a line is gone


def test_with_changes_that_are_not_committed_everything_is_run_and_marked(clone: Clone) -> None:
    (clone.folder / "mended").touch()
    clone.prove()
    (clone.folder / "test_it.py").write_text(TESTS + "\n# changed\n")
    clone.prove()
    clone.prove()
    assert [row["clean"] for row in clone.rows()] == [True] * 4 + [False] * 8


def test_a_new_file_is_a_change_too(clone: Clone) -> None:
    clone.prove()
    (clone.folder / "conftest.py").touch()
    clone.prove()
    assert [row["clean"] for row in clone.rows()] == [True] * 4 + [False] * 4


@pytest.mark.parametrize(
    "done",
    [
        "pathlib.Path('test_it.py').open('a').write('# edited')",
        "pathlib.Path('new.py').touch()",
        f"pathlib.Path('.gitignore').open('a').write('more'); subprocess.run(({OWN}), check=True)",
    ],
    ids=["an edit", "a new file", "another commit"],
)
def test_what_ran_after_the_clone_changed_did_not_pass_at_the_commit_of_the_start(clone: Clone, done: str) -> None:
    (clone.folder / "test_it.py").write_text(MEANWHILE.format(done))
    clone.commit("with something meanwhile")
    start = clone.git("rev-parse", "--short=12", "HEAD")
    told = clone.prove()
    assert told.returncode == 0
    assert [(row["commit"], row["clean"]) for row in clone.rows()] == [(start, True), (start, False), (start, False)]
    assert told.stdout.count(f"| {start}+changed | passed |") == 2
    clone.git("reset", "-q", "--hard", start)
    clone.git("clean", "-qfd", "--exclude=docs")
    clone.prove()
    assert [row["what"] for row in clone.rows()[3:]] == ["test_it.py::test_meanwhile", "test_it.py::test_after"]


def test_a_committed_record_does_not_change_the_code_and_is_not_taken_for_a_run_of_this_clone(clone: Clone) -> None:
    (clone.folder / "mended").touch()
    clone.prove()
    clone.commit("the record")
    clone.prove()
    assert clone.outcomes() == [(name, "passed") for name, _ in FIRST] * 2
    assert len({row["commit"] for row in clone.rows()}) == 1
    assert all(row["clean"] for row in clone.rows())


def test_a_test_of_no_such_tier_is_run_and_not_recorded(clone: Clone) -> None:
    (clone.folder / "test_it.py").write_text(TESTS.replace("pytestmark = pytest.mark.proof", ""))
    clone.commit("no marker")
    (clone.folder / "mended").touch()
    assert "4 passed" in clone.prove("").stdout
    assert not (clone.folder / FILE).exists()


def test_rows_and_page_tell_the_machine_and_not_its_name(clone: Clone) -> None:
    clone.prove()
    assert "| `test_wrong` | failed |" in (clone.folder / PAGE).read_text()
    assert {tuple(row["machine"]) for row in clone.rows()} == {("cpu", "cores", "memory_gib")}


def test_what_a_worker_of_xdist_ran_is_one_row_too(clone: Clone) -> None:
    clone.prove("proof", "-n", "1")
    assert clone.outcomes() == FIRST


SEVERAL = """
import pathlib, pytest
pytestmark = pytest.mark.proof

def test_second_time():
    again = pathlib.Path("seen").exists()
    pathlib.Path("seen").touch()
    assert again
"""


def test_of_several_tests_of_one_name_a_red_one_is_not_hidden_and_all_are_run_again(clone: Clone) -> None:
    (clone.folder / "test_it.py").write_text(SEVERAL)
    (clone.folder / "conftest.py").write_text("def pytest_collection_modifyitems(items): items.append(items[0])\n")
    clone.commit("one test twice")
    clone.prove()
    assert clone.outcomes() == [("second_time", "failed")] * 2
    clone.prove()
    clone.prove()
    assert clone.outcomes()[2:] == [("second_time", "passed")] * 4
