"""The wrong fixes that lose data for good, each on a stack of its own, which is of no more use then."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.drills.wrong_series import turned_down_by
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("scenario", "fix", "check"),
    # Of the checks that turn such a fix down, the truth names the one that looks for the data last.
    [
        (scenario.name, fix.id, fix.rejected_by[-1])
        for scenario in CATALOG.played
        for fix in CATALOG.truth(scenario).wrong_fixes
        if fix.loses_data
    ],
)
def test_what_a_wrong_fix_lost_is_found_by_the_check_of_that_data(
    drill: Run,
    lakeproof: Run,
    whole_stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    fix: str,
    check: str,
) -> None:
    # On the ports of the drills' stack, which has to make room.
    lakeproof("down", seconds=180)
    state_dir = Path(f"{whole_stack.state_dir}-spoilt")
    state_dir.mkdir(mode=0o755)
    with monkeypatch.context() as other:
        other.setenv("LAKEPROOF_NAME", "spoilt")
        other.setenv("LAKEPROOF_STATE_DIR", str(state_dir))
        try:
            done = drill(scenario, "--fix", fix)
        finally:
            lakeproof("down", seconds=180)
            shutil.rmtree(state_dir, ignore_errors=True)
    print(scenario, fix, "->", done.report["verdict"], done.report["data"], done.report["reasons"])
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert turned_down_by(done.report, [check]) == (check,), done.report["reasons"]
    if check == "no_order_lost":
        assert done.report["data"]["lost"] > 0
