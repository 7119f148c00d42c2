"""A process of a fault's own: it outlives who started it, is there once, and is found again without a file."""

from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.faults import fault_process
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

LEAK = "lakeproof.faults.session_leak"


def test_it_is_started_once_belongs_to_its_stack_and_ends(tmp_path: Path) -> None:
    # No server listens there, so it tries in vain until it is ended.
    stack = Stack(Settings(state_dir=tmp_path / "one", port_shift=31_000))
    other = Stack(Settings(state_dir=tmp_path / "two", port_shift=31_000))
    try:
        fault_process.start(stack, "leak", LEAK, "report")
        first = fault_process.find(stack, "leak")
        assert len(first) == 1
        fault_process.start(stack, "leak", LEAK, "report")
        assert fault_process.find(stack, "leak") == first
        assert fault_process.find(other, "leak") == []
        assert fault_process.end(other, "leak") == 0
    finally:
        ended = fault_process.end(stack, "leak")
    assert ended == 1
    assert fault_process.find(stack, "leak") == []
    assert fault_process.end(stack, "leak") == 0


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="No module named"):
        fault_process.start(Stack(Settings(state_dir=tmp_path)), "none", "lakeproof.faults.no_such")
