"""A pytest plugin that makes `make proof` resumable: `-p tests.proof_record`.

Each test that has ended is a line of `.proof/results.jsonl` in the clone: nodeid, commit, outcome, seconds, at (UTC).
What passed at this commit is not run again; a test that was cut off has no line, and is. With changes that are not
committed, new files included, every test is run, and its commit ends with "+changed": nobody could get that code
again. So does that of a test after which the clone is not as it was at the start: nobody knows which code it ran.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

FILE = Path(".proof") / "results.jsonl"
CHANGED = "+changed"


def commit_of(folder: Path) -> str:
    """The commit that is checked out there, with "+changed" where a file that is not ignored differs or is new."""

    def git(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    # It runs beside a person's own git: that must not find the index locked.
    changed = git("--no-optional-locks", "status", "--porcelain", "--untracked-files=normal")
    return git("rev-parse", "--short=12", "HEAD") + (CHANGED if changed else "")


class ProofRecord:
    """The rows of one file, and what this run adds to them."""

    def __init__(self, root: Path) -> None:
        self.root, self.path, self.commit = root, root / FILE, commit_of(root)
        self._wanted: list[str] = []
        self._left_out = 0
        self._open: dict[str, tuple[str, float]] = {}

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, oldest first; a last line that was cut off is left out."""
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def newest(self, commit: str) -> dict[str, dict[str, Any]]:
        """The newest row of each test at that commit, by nodeid."""
        return {row["nodeid"]: row for row in self.rows() if row["commit"] == commit}

    @property
    def changed(self) -> str:
        """What stands for the commit of the start once the clone is not as it was then."""
        return self.commit.removesuffix(CHANGED) + CHANGED

    def commit_now(self) -> str:
        """The commit for a row: that of the start while the clone is still at it."""
        return self.commit if commit_of(self.root) == self.commit else self.changed

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what passed at this commit."""
        self._wanted = [item.nodeid for item in items]
        done = {} if self.commit.endswith(CHANGED) else self.newest(self.commit)
        passed = [item for item in items if done.get(item.nodeid, {}).get("outcome") == "passed"]
        self._left_out = len(passed)
        if passed:
            config.hook.pytest_deselected(items=passed)
            items[:] = [item for item in items if item not in passed]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One row once the test is torn down: the first of its three parts that did not pass tells its outcome."""
        outcome, seconds = self._open.get(report.nodeid, ("passed", 0.0))
        self._open[report.nodeid] = (report.outcome if outcome == "passed" else outcome, seconds + report.duration)
        if report.when == "teardown":
            outcome, seconds = self._open.pop(report.nodeid)
            row = {"nodeid": report.nodeid, "commit": self.commit_now(), "outcome": outcome}
            self._append(row | {"seconds": round(seconds, 1), "at": datetime.now(UTC).isoformat(timespec="seconds")})

    def _append(self, row: dict[str, Any]) -> None:
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a+b") as file:
            # After a line that was cut off, on a line of its own.
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            begin = b"" if file.read(1) in (b"", b"\n") else b"\n"
            file.write(begin + json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """That all of it has passed before is success."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._left_out:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Every test that was asked for, as it stands at this commit, in Markdown; else as it was with changes."""
        rows = self.newest(self.changed) | self.newest(self.commit)
        write = terminalreporter.write_line
        write(f"proof at {self.commit}: {self._left_out} passed before and were not run again ({self.path})")
        write("| Test | Commit | Outcome | Seconds | At |")
        write("| --- | --- | --- | --- | --- |")
        for nodeid in self._wanted:
            row = rows.get(nodeid, {"commit": self.commit, "outcome": "not run", "seconds": "", "at": ""})
            write(f"| {nodeid} | {row['commit']} | {row['outcome']} | {row['seconds']} | {row['at']} |")


def pytest_configure(config: pytest.Config) -> None:
    """Only where the plugin was asked for."""
    config.pluginmanager.register(ProofRecord(config.rootpath), "proof-record-of-this-clone")
