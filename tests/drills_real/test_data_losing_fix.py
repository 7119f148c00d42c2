"""The wrong fixes that lose data, each on a stack of its own.

What the lake lost comes back by a bridge, as one transaction, also where the minute's audit has frozen `main`.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drills_real.health import await_health, diagnosed, named

from lakeproof.drills.wrong_series import not_carried_out, turned_down_by
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.truth import WrongFix
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(1500)]

type Run = Callable[..., Any]

CATALOG = load_catalog()
# What such a drill leaves behind is waited for, at its end, for as long as it may take to be mended.
DRILL_SECONDS = 900


@pytest.mark.parametrize(
    ("scenario", "fix"),
    [
        pytest.param(scenario.name, fix, id=f"{scenario.name}-{fix.id}")
        for scenario in CATALOG.played
        for fix in CATALOG.truth(scenario).wrong_fixes
        if fix.loses_data
    ],
)
def test_what_a_wrong_fix_lost_is_found_and_what_the_lake_lost_comes_back(
    lakeproof: Run,
    whole_stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    scenario: str,
    fix: WrongFix,
) -> None:
    # On the ports of the drills' stack, which has to make room.
    lakeproof("down", seconds=180)
    state_dir = Path(f"{whole_stack.state_dir}-spoilt")
    state_dir.mkdir(mode=0o755)
    of_lake = scenario.partition(":")[0] != "notification-failure"
    with monkeypatch.context() as other:
        other.setenv("LAKEPROOF_NAME", "spoilt")
        other.setenv("LAKEPROOF_STATE_DIR", str(state_dir))
        try:
            typed = ("drill", scenario, "--report", str(tmp_path), "--fix", fix.id, "--recover-seconds", "30")
            done = lakeproof(*typed, seconds=DRILL_SECONDS, folder=tmp_path)
            repaired = brought_back(lakeproof) if of_lake else {}
        finally:
            lakeproof("down", seconds=180)
            shutil.rmtree(state_dir, ignore_errors=True)
    print(scenario, fix.id, "->", done.report["verdict"], done.report["data"], done.report["reasons"])
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert not_carried_out(done.report) == []
    by = turned_down_by(done.report, fix.rejected_by)
    assert by, done.report["reasons"]
    if "no_order_lost" in by and of_lake:
        assert done.report["data"]["lost"] > 0
    assert {table: found["lost"] + found["stale"] for table, found in repaired.items()} == dict.fromkeys(repaired, 0)


def brought_back(lakeproof: Run) -> dict[str, dict[str, int]]:
    """Bridge the gap that the wrong fix left, and what `check` says then of each table and engine."""
    action = "bridge_topic_gap" if "topic_gap" in named(diagnosed(lakeproof)) else "bridge_capture_gap"
    opened = lakeproof("incident", "open", f"after a wrong fix: {action}").out.split()
    done = lakeproof("mitigate", opened[0], "--action", action, "--arg", "connector=orders", "--yes")
    print(action, done.out, done.err[-2000:])
    assert done.code == 0, done.err[-4000:]
    await_health(lakeproof)
    report = json.loads(lakeproof("check", "--wait-seconds", "120", "--json", seconds=300).out)
    print("then", report["verdict"], [table for table in report["tables"] if table["keys"]], report["across"])
    return {f"{table['table']} {table['engine']}": table for table in report["tables"]}
