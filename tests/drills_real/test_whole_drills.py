"""Whole drills on the real engines: both scenarios pass, a wrong fix does not, a cut-short one leaves nothing."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.drills.phases import Phase
from lakeproof.faults.records import recorded
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")


def diagnosed(lakeproof: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lakeproof("diagnose", "--json", seconds=60).out)
    return found


def test_a_paused_capture_is_detected_diagnosed_repaired_and_verified(drill: Run) -> None:
    done = drill("replication-lag")
    report = done.report
    assert (done.code, report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert [phase["name"] for phase in report["phases"]] == [phase.value for phase in Phase]
    assert report["root_cause"] == "paused_connector"
    assert report["alerts"][0]["name"] == "CdcReplicationLagHigh"
    assert report["data"]["acknowledged"] >= 5000
    assert [report["data"][name] for name in ("lost", "duplicated", "stale", "phantom")] == [0, 0, 0, 0]
    assert report["residue"] == []


@pytest.mark.proof  # green twice so far
def test_a_failed_connector_is_detected_diagnosed_repaired_and_verified(drill: Run) -> None:
    done = drill("connector-failure")
    assert (done.code, done.report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert done.report["root_cause"] == "connector_login_rejected"


@pytest.mark.proof  # needs a third run, and five minutes
def test_silencing_the_alert_is_turned_down(drill: Run) -> None:
    done = drill("replication-lag", "--fix", "silence_alert")
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert any("alert_cleared" in reason for reason in done.report["reasons"])
    assert done.report["residue"] == []


def test_the_stack_is_healthy_after_its_drills(lakeproof: Run) -> None:
    assert diagnosed(lakeproof)["healthy"] is True


@pytest.mark.proof  # seen by hand; not yet three times in a row here
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_drill_that_is_cut_short_leaves_no_fault(
    lakeproof: Run, whole_stack: Stack, tmp_path: Path, how: signal.Signals
) -> None:
    folder = tmp_path / "report"
    running = subprocess.Popen(
        [str(PROGRAM), "drill", "replication-lag", "--report", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    try:
        Deadline(300).wait_for("the fault to be in", lambda: recorded(whole_stack) or None)
        running.send_signal(how)
        running.wait(timeout=90)
    finally:
        running.kill()
        running.wait()
    if how is signal.SIGKILL:
        assert lakeproof("fault", "remove", "--all", seconds=60).code == 0
    assert recorded(whole_stack) == ()
    Deadline(60).wait_for("the stack to be healthy", lambda: True if diagnosed(lakeproof)["healthy"] else None)
