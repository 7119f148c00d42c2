"""A pytest plugin that writes each test of the engines, drills and proof tiers into the record (tests/proof_rows.py).

`make proof` has it, and `-p tests.proof_record` adds it to any other run. The run is resumable: what passed in this
clone at this commit, and is not committed as a row yet, is not run again; a test that was cut off has no row, and is
run. Rows that came with the clone count as the past of others: to commit the record is to begin anew.

With changes that are not committed, new files included, every test is run, and its row is not clean: nobody could get
that code again. Neither is the row of a test after which the clone is not as it was at the start: nobody knows which
code that test ran.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.proof_rows import FILE, Code, RecordFile, Row, code_of, this_machine
from tests.proof_table import write_page

TIERS = ("engines", "drills", "proof")
# A property of each test that is to be recorded. Unlike a marker, it comes with a report of a worker as well.
RECORDED = ("recorded", True)


class ProofRecord:
    """What one run adds to the record of its clone."""

    def __init__(self, root: Path, writes: bool) -> None:
        """writes: False in a worker of pytest-xdist, whose reports the main process gets as well."""
        self.root, self.file, self.code, self._writes = root, RecordFile(root), code_of(root), writes
        self._wanted: list[str] = []
        self._left_out = 0
        self._open: dict[str, tuple[str, float]] = {}
        self._ended: dict[str, str] = {}

    def newest(self, code: Code) -> dict[str, Row]:
        """The newest row of each test that this clone ran of that code, by node id."""
        return {row.what: row for row in self.file.rows_of_this_clone() if row.code == code}

    @property
    def changed(self) -> Code:
        """What stands for the code once the clone is not as it was at the start."""
        return Code(self.code.commit, clean=False)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what passed at this commit."""
        recorded = [item for item in items if any(item.get_closest_marker(tier) for tier in TIERS)]
        self._wanted = [item.nodeid for item in recorded]
        for item in recorded:
            item.user_properties.append(RECORDED)
        done = self.newest(self.code) if self.code.clean else {}
        # Tests made of an OpenAPI share one name: its row does not tell how many of them have run.
        once = {name for name, times in Counter(self._wanted).items() if times == 1}
        passed = {name for name in once if name in done and done[name].outcome == "passed"}
        self._left_out = len(passed)
        if passed:
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
            items[:] = [item for item in items if item.nodeid not in passed]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One row once the test is torn down: the first of its three parts that did not pass tells its outcome.

        So does the first of several tests of one name, since the newest row of a name is what counts.
        """
        if not self._writes or RECORDED not in report.user_properties:
            return
        outcome, seconds = self._open.get(report.nodeid, (self._ended.get(report.nodeid, "passed"), 0.0))
        self._open[report.nodeid] = (report.outcome if outcome == "passed" else outcome, seconds + report.duration)
        if report.when != "teardown":
            return
        outcome, seconds = self._open.pop(report.nodeid)
        self._ended[report.nodeid] = outcome
        code = self.code if code_of(self.root) == self.code else self.changed
        row = Row(
            what=report.nodeid,
            outcome=outcome,
            seconds=round(seconds, 1),
            commit=code.commit,
            clean=code.clean,
            machine=this_machine(),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.file.append(row)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """The page of the record is made anew. That all of it has passed before is success."""
        if self._ended:
            write_page(self.root)
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._left_out:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Every test that was asked for, as it stands at this commit, in Markdown; else as it was with changes."""
        rows = self.newest(self.changed) | self.newest(self.code)
        write = terminalreporter.write_line
        write(f"proof at {self.code}: {self._left_out} passed before and were not run again ({FILE})")
        write("| Test | Commit | Outcome | Seconds | At |")
        write("| --- | --- | --- | --- | --- |")
        for nodeid in self._wanted:
            row = rows.get(nodeid)
            told = (str(row.code), row.outcome, row.seconds, row.at) if row else (str(self.code), "not run", "", "")
            write(f"| {' | '.join(map(str, (nodeid, *told)))} |")


def pytest_configure(config: pytest.Config) -> None:
    """Only where the plugin was asked for."""
    record = ProofRecord(config.rootpath, writes=not hasattr(config, "workerinput"))
    config.pluginmanager.register(record, "proof-record-of-this-clone")
