"""The wrong fix that loses data for good, on a stack of its own, since that lake is of no more use."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drills_real.wrong_fixes import DATA_LOSING

from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]


@pytest.mark.parametrize("scenario", ["replication-lag", "connector-failure"])
def test_a_new_connector_without_the_old_data_is_found_by_the_orders_it_lost(
    drill: Run, lakeproof: Run, whole_stack: Stack, monkeypatch: pytest.MonkeyPatch, scenario: str
) -> None:
    # On the ports of the drills' stack, which has to make room.
    lakeproof("down", seconds=180)
    state_dir = Path(f"{whole_stack.state_dir}-spoilt")
    state_dir.mkdir(mode=0o755)
    with monkeypatch.context() as other:
        other.setenv("LAKEPROOF_NAME", "spoilt")
        other.setenv("LAKEPROOF_STATE_DIR", str(state_dir))
        try:
            done = drill(scenario, "--fix", DATA_LOSING)
        finally:
            lakeproof("down", seconds=180)
            shutil.rmtree(state_dir, ignore_errors=True)
    print(scenario, DATA_LOSING, "->", done.report["verdict"], done.report["data"], done.report["reasons"])
    assert (done.code, done.report["verdict"]) == (1, "failed"), done.err[-4000:]
    assert done.report["data"]["lost"] > 0
    assert any("no_order_lost" in reason for reason in done.report["reasons"]), done.report["reasons"]
