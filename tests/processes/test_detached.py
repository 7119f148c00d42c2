"""A detached process: it outlives who started it, is there once, and is found again without a file."""

from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.processes import detached
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

LEAK = "lakeproof_shop.scenarios.connection_saturation.session_leak"


def test_it_is_started_once_belongs_to_its_stack_and_ends(tmp_path: Path) -> None:
    # No server listens there, so it tries in vain until it is ended.
    stack = Stack(Settings(state_dir=tmp_path / "one", port_shift=31_000))
    other = Stack(Settings(state_dir=tmp_path / "two", port_shift=31_000))
    try:
        detached.start(stack, "leak", LEAK, "mysql", "report", "900")
        first = detached.find(stack, "leak")
        assert len(first) == 1
        detached.start(stack, "leak", LEAK, "mysql", "report", "900")
        assert detached.find(stack, "leak") == first
        assert detached.find(other, "leak") == []
        assert detached.end(other, "leak") == 0
    finally:
        ended = detached.end(stack, "leak")
    assert ended == 1
    assert detached.find(stack, "leak") == []
    assert detached.end(stack, "leak") == 0


def test_one_that_does_not_start_says_why(stack: Stack) -> None:
    with pytest.raises(TerminalError, match="No module named"):
        detached.start(stack, "none", "lakeproof.faults.no_such")
