"""The page made of the record, and the committed page against the committed record."""

import io
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.proof_rows import FILE, BrokenRecord, RecordedMachine, RecordFile, Row, code_of, this_machine
from tests.proof_table import PAGE, ROOT, add_benchmark, commits_behind, newest, page, rows_to_show, without_result

SMALL = RecordedMachine(cpu="Small | one", cores=2, memory_gib=23.5)


def row(what: str = "tests/engines/test_it.py::test_it", **changed: Any) -> Row:
    usual = {
        "outcome": "passed",
        "seconds": 1.5,
        "commit": "c1",
        "clean": True,
        "machine": SMALL,
        "at": "2026-11-26T10",
    }
    return Row.model_validate({"what": what} | usual | changed)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of one commit, with one test in it."""
    (tmp_path / "tests" / "engines").mkdir(parents=True)
    (tmp_path / "tests" / "engines" / "test_it.py").write_text("def test_it(): pass\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    own = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(("git", *own, *words), cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "something")


def test_the_committed_page_is_what_the_record_gives() -> None:
    rows = rows_to_show(ROOT)
    assert (ROOT / PAGE).read_text() == page(rows, [*without_result(rows, ROOT)]), "run: make proof-table"


def test_the_page_says_of_how_many_tests_there_is_no_result(clone: Path) -> None:
    (clone / "tests" / "engines" / "test_more.py").write_text("async def test_one(): pass\n\ndef test_two(): pass\n")
    found = [*without_result([row("tests/engines/test_more.py::test_two[a]")], clone)]
    assert found == [("tests/engines/test_it.py", 1, 1), ("tests/engines/test_more.py", 1, 2)]
    text = page([], found)
    assert "2 test functions on real engines" in text and "| tests/engines/test_more.py | 1 | 2 |" in text


def test_a_row_of_the_page_has_its_outcome_commit_and_machine() -> None:
    text = page([row("tests/engines/test_it.py::test_it[a|b]", outcome="failed")])
    assert "| `test_it[a\\|b]` | failed | 1.5 | c1 | Small \\| one, 2 cores, 23.5 GiB | 2026-11-26T10 |" in text


def test_the_newest_result_is_shown_wherever_it_stands_in_the_file() -> None:
    rows = [row(at="2026-11-26T11", outcome="failed"), row(at="2026-11-26T10")]
    assert [shown.outcome for shown in newest(rows)] == ["failed"]


def test_a_run_with_changes_does_not_hide_one_of_a_clean_commit() -> None:
    rows = [row(), row(clean=False, at="2026-11-26T11", outcome="failed"), row("tests/a.py::test_b", clean=False)]
    assert [(shown.outcome, str(shown.code)) for shown in newest(rows)] == [
        ("passed", "c1+changed"),
        ("passed", "c1"),
    ]


def test_a_test_that_is_gone_is_not_on_the_page(clone: Path) -> None:
    for what in ("test_it.py::test_it[a::b]", "test_it.py::test_i", "test_gone.py::test_it"):
        RecordFile(clone).append(row(f"tests/engines/{what}"))
    RecordFile(clone).append(row("lakeproof bench rate"))
    assert [shown.what for shown in rows_to_show(clone)] == [
        "lakeproof bench rate",
        "tests/engines/test_it.py::test_it[a::b]",
    ]


def test_a_line_that_is_no_row_is_named_and_not_passed_over(clone: Path) -> None:
    RecordFile(clone).append(row())
    with (clone / FILE).open("a") as file:
        file.write("<<<<<<< a conflict\n")
    with pytest.raises(BrokenRecord, match="line 2"):
        rows_to_show(clone)


def test_only_commits_that_change_the_code_count_as_behind(clone: Path) -> None:
    first = code_of(clone).commit
    RecordFile(clone).append(row())
    assert code_of(clone) == (first, True)
    commit(clone)
    assert (code_of(clone).commit, commits_behind(clone, first)) == (first, 0)
    (clone / "more.txt").touch()
    commit(clone)
    commits_behind.cache_clear()
    assert code_of(clone).commit != first
    assert (commits_behind(clone, first), commits_behind(clone, "0123456789ab")) == (1, None)


def printed(at: datetime) -> io.StringIO:
    ratio = {"what": "HTTP to SQL", "value": 0.4, "aim": "as high as can be", "met": None}
    told = {"command": "lakeproof bench order-api", "failed": False, "unknown": False, "ratios": [ratio]}
    return io.StringIO(json.dumps(told | {"at": at.isoformat(timespec="seconds")}))


def test_a_piped_benchmark_becomes_a_row(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", printed(datetime.now(UTC) + timedelta(seconds=1)))
    add_benchmark(clone)
    (added,) = RecordFile(clone).rows()
    assert (added.what, added.code, added.machine) == ("lakeproof bench order-api", code_of(clone), this_machine())
    assert "| `lakeproof bench order-api` | passed | 0.4 HTTP to SQL (aim as high as can be) |" in page([added])


def test_a_benchmark_that_ended_before_is_refused(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", printed(datetime.now(UTC) - timedelta(minutes=1)))
    with pytest.raises(SystemExit, match="nobody knows of which code"):
        add_benchmark(clone)
    assert not (clone / FILE).exists()
