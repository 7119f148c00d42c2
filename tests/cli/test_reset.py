"""`lakeproof reset` as it is typed: it asks, says what goes, and never cuts off a drill."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.held_file import hold

type Typed = Callable[..., str]


@pytest.fixture
def used(own_stack: Path) -> Path:
    (own_stack / "data" / "redis").mkdir(parents=True)
    (own_stack / "start.lock").touch()
    return own_stack


def test_without_a_terminal_nothing_is_deleted_but_by_yes(typed: Typed, used: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nobody is there to ask.*lakeproof reset --yes"):
        typed("reset")
    assert (used / "data" / "redis").is_dir()
    told = json.loads(typed("reset", "--yes", "--json"))
    assert told["stack"] == "default" and told["kept"] == []
    assert {Path(each["path"]).name for each in told["deleted"]} == {"data", "drill.lock", "start.lock"}
    assert told["bytes"] == sum(each["bytes"] for each in told["deleted"]) > 0
    assert not used.exists()


def test_an_empty_stack_is_fine(typed: Typed, own_stack: Path) -> None:
    assert json.loads(typed("reset", "--json"))["deleted"] == []
    assert not own_stack.exists()


def test_a_drill_that_runs_is_not_cut_off(typed: Typed, used: Path) -> None:
    with hold(used / "drill.lock", str(os.getpid())), pytest.raises(InvalidInput, match="a drill is running already"):
        typed("reset", "--yes")
    assert (used / "data" / "redis").is_dir()
