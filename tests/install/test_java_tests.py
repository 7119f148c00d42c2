"""`make test-java` passes only when Maven ran tests and none failed."""

from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.install import java, java_tests

from .conftest import MakeProgram

REPORT = '<?xml version="1.0"?>\n<testsuite xmlns:x="y" name="ATest" time="0.1" tests="{}" errors="0" failures="0">'

# Notes how it was called, and leaves the reports that it was told to.
FAKE_MAVEN = """
echo "$@" >REMOTE/arguments
mkdir -p REMOTE/folder/target/surefire-reports
[ ! -e REMOTE/reports ] || cp REMOTE/reports/* REMOTE/folder/target/surefire-reports/
[ ! -e REMOTE/fails ] || exit 1
"""


@pytest.fixture
def remote(tmp_path: Path, make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a fake Maven."""
    make_program("mvn", FAKE_MAVEN.replace("REMOTE", str(tmp_path)))
    monkeypatch.setattr(java_tests, "find_vector_jdk", lambda: java.Java(tmp_path, 25, frozenset(), True))
    monkeypatch.setattr(java_tests, "find_java_17", lambda: tmp_path / "java17")
    (tmp_path / "reports").mkdir()
    return tmp_path


def test_the_passed_tests_of_all_reports_are_counted(remote: Path) -> None:
    (remote / "reports" / "TEST-a.xml").write_text(REPORT.format(2))
    (remote / "reports" / "TEST-b.xml").write_text(REPORT.format(3))
    assert java_tests.run_tests(remote / "folder") == 5
    arguments = (remote / "arguments").read_text()
    assert "-Ptests" in arguments and f"-Djvm={remote}/java17" in arguments
    assert f"-Dmaven.repo.local={remote}/cache/maven/lake-job" in arguments


def test_a_failed_test_is_an_error(remote: Path) -> None:
    (remote / "reports" / "TEST-a.xml").write_text(REPORT.format(2))
    (remote / "fails").touch()
    with pytest.raises(TerminalError, match="mvn test ended with code 1"):
        java_tests.run_tests(remote / "folder")


def test_reports_of_an_earlier_run_do_not_count(remote: Path) -> None:
    old = remote / "folder" / "target" / "surefire-reports"
    old.mkdir(parents=True)
    (old / "TEST-a.xml").write_text(REPORT.format(2))
    with pytest.raises(TerminalError, match="no test was run"):
        java_tests.run_tests(remote / "folder")
