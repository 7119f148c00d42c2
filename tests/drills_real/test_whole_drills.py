"""Whole drills on the real engines: both scenarios pass, a wrong fix does not, the stack is healthy after them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakeproof.drills.phases import Phase

pytestmark = [pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]


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


def test_a_failed_connector_is_detected_diagnosed_repaired_and_verified(drill: Run) -> None:
    done = drill("connector-failure")
    assert (done.code, done.report["verdict"]) == (0, "passed"), done.err[-4000:]
    assert done.report["root_cause"] == "connector_login_rejected"


@pytest.mark.proof
@pytest.mark.parametrize(
    ("fix", "failed_check"),
    [
        ("silence_alert", "connector_running"),
        ("stop_ticker", "connector_running"),
        ("empty_topic", "connector_running"),
        ("restart_everything", "connector_running"),
    ],
)
def test_a_wrong_fix_is_turned_down_with_its_reason(drill: Run, fix: str, failed_check: str) -> None:
    done = drill("replication-lag", "--fix", fix)
    print(fix, "->", done.report["verdict"], done.report["reasons"])
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert any(failed_check in reason for reason in done.report["reasons"]), done.report["reasons"]
    assert done.report["residue"] == []


def test_the_stack_is_healthy_after_its_drills(lakeproof: Run) -> None:
    assert diagnosed(lakeproof)["healthy"] is True
