import os
from pathlib import Path

import pytest

from lakeproof.held_file import HeldByAnother, hold, try_hold


def test_whoever_comes_second_is_told_what_the_holder_wrote(tmp_path: Path) -> None:
    path = tmp_path / "state" / "drill.lock"
    with hold(path, "process 7"), pytest.raises(HeldByAnother) as told, hold(path, "process 8"):
        raise AssertionError("it is held twice")
    assert told.value.holder == "process 7"


def test_a_file_is_free_again_after_the_block(tmp_path: Path) -> None:
    path = tmp_path / "drill.lock"
    with hold(path, "a process with a long name"):
        pass
    with hold(path, "process 8"):
        assert path.read_text() == "process 8"


def test_an_open_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    try:
        assert (try_hold(first), try_hold(second)) == (True, None)
        os.close(first)
        assert try_hold(second)
    finally:
        os.close(second)
