"""What the daemon's fork says to the process that waits for it."""

import os
from pathlib import Path

from lakeproof.processes.daemon import _tell


def test_what_is_said_after_the_caller_has_left_reaches_no_other_file(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    caller = os.fdopen(write_end, "w", encoding="utf-8")
    _tell(caller, "ready")
    assert os.read(read_end, 100) == b"ready"
    with (tmp_path / "ledger").open("w") as other:
        assert other.fileno() == write_end
        _tell(caller, "ValueError: too late")
    assert (tmp_path / "ledger").read_text() == ""
    os.close(read_end)
