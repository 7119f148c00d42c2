"""A drill on a disk that is full: the fault comes out all the same, and what could not be kept is said."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakeproof.drills.journal import Journal
from lakeproof.errors import TerminalError
from lakeproof.faults import records
from lakeproof.stack.stack import Stack

# The record of a fault fits; a journal of a few events does not.
ROOM_BYTES = 600


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses every write beyond that, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full(folder: Path) -> Path:
    """Where the journal in `folder` is written before it gets its name; the device has no space left."""
    folder.mkdir()
    path = folder / "journal.partial"
    path.symlink_to("/dev/full")
    return path


def test_a_full_disk_does_not_leave_the_fault_in_the_stack(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp()
    drill = toy.drill(lamp, tmp_path)
    with no_file_larger_than(ROOM_BYTES), pytest.raises(TerminalError) as raised:
        drill.run()
    assert not lamp.covered
    assert not lamp.shopping
    assert lamp.told[-1] == "resolved"
    assert records.recorded(drill.world.stack) == ()
    assert str(tmp_path / "report") in raised.value.message
    assert "the report cannot be written" in raised.value.message
    assert "verdict: unknown" in raised.value.message
    assert raised.value.exit_code == 1
    # No half of a report that a script would read.
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["journal.json", "journal.partial"]


def test_ctrl_c_on_a_full_disk_takes_the_fault_out(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp(interrupt=True)
    drill = toy.drill(lamp, tmp_path)
    with no_file_larger_than(ROOM_BYTES), pytest.raises(TerminalError):
        drill.run()
    assert not lamp.covered
    assert records.recorded(drill.world.stack) == ()


def test_a_drill_without_its_journal_is_unknown_and_says_why(toy: Any, tmp_path: Path) -> None:
    full(tmp_path / "report")
    told: list[str] = []
    drill = toy.drill(toy.Lamp(), tmp_path, progress=told.append)
    report = drill.run()
    assert report.verdict == "unknown"
    assert [reason for reason in report.reasons if "No space left on device" in reason] == report.reasons
    assert json.loads((tmp_path / "report" / "report.json").read_text())["verdict"] == "unknown"
    assert len([line for line in told if "cannot be written" in line]) == 1


def test_a_journal_keeps_what_it_could_not_write_and_writes_it_later(tmp_path: Path) -> None:
    refused = full(tmp_path / "report")
    journal = Journal(tmp_path / "report", lambda text: None)
    journal.write("inject", "first")
    assert "No space left on device" in journal.unwritten
    refused.unlink()
    journal.write("inject", "second")
    assert journal.unwritten == ""
    assert [event["what"] for event in json.loads(journal.path.read_text())] == ["first", "second"]


def test_shoppers_who_cannot_be_stopped_do_not_keep_the_fault_in_the_stack(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp(interrupt=True)

    def stop() -> None:
        raise RuntimeError("a bug")

    lamp.stop = stop
    drill = toy.drill(lamp, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        drill.run()
    assert not lamp.covered
    assert lamp.told[-1] == "resolved"
    assert "shoppers did not stop: RuntimeError: a bug" in (tmp_path / "report" / "journal.json").read_text()


def test_a_record_that_cannot_be_read_at_the_end_does_not_keep_the_shoppers_buying(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp()

    def uncover(stack: Stack, _: object) -> str:
        (stack.state_dir / "faults" / "torn.json").write_text("{")
        raise KeyboardInterrupt

    lamp.uncover = uncover
    drill = toy.drill(lamp, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        drill.run()
    assert not lamp.shopping
    told = [event["what"] for event in json.loads((tmp_path / "report" / "journal.json").read_text())]
    assert any(what.startswith("the fault may still be in: ") and "torn.json" in what for what in told)


def test_a_fault_that_cannot_be_put_on_record_is_not_made(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp()
    surroundings = toy.world(lamp, tmp_path)
    fault = surroundings.catalog.faults["covered_lamp"]
    with no_file_larger_than(10), pytest.raises(TerminalError, match="cannot be put on record"):
        records.inject(surroundings.stack, fault, {"cloth": "blue"}, by="hand")
    assert not lamp.covered
