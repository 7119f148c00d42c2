import os
import threading
from pathlib import Path

import pytest

from lakeproof import held_file
from lakeproof.errors import TerminalError
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


def test_a_wait_is_announced_once_with_the_holder_and_ends_when_it_is_free(tmp_path: Path) -> None:
    path, told, freed = tmp_path / "lock", list[str](), threading.Event()

    def holds() -> None:
        with hold(path, "process 7"):
            held.set()
            freed.wait(10)

    held = threading.Event()
    holder = threading.Thread(target=holds)
    holder.start()
    held.wait(10)

    def waiting(of: str) -> None:
        told.append(of)
        threading.Timer(0.1, freed.set).start()

    with hold(path, "process 8", 10.0, waiting=waiting, every=0.01):
        assert (told, path.read_text()) == (["process 7"], "process 8")
    holder.join(10)


def test_a_wait_can_be_interrupted(tmp_path: Path) -> None:
    stop = threading.Event()
    with (
        hold(tmp_path / "lock", "process 7"),
        pytest.raises(TerminalError, match="interrupted"),
        hold(tmp_path / "lock", "process 8", 60.0, waiting=lambda _: stop.set(), stop=stop, every=0.01),
    ):
        raise AssertionError("it is held twice")


def test_a_file_that_its_last_holder_removed_is_not_held_in_its_stead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last holder ends, and removes the file, between our open and our flock."""
    path, real = tmp_path / "lock", held_file.try_hold
    looks = 0

    def removed_before(descriptor: int) -> bool | None:
        nonlocal looks
        looks += 1
        if looks == 1:
            path.unlink()
        return real(descriptor)

    monkeypatch.setattr(held_file, "try_hold", removed_before)
    with hold(path, "process 7"):
        monkeypatch.undo()
        with pytest.raises(HeldByAnother, match="held by process 7"), hold(path, "process 8"):
            raise AssertionError("it is held twice")
