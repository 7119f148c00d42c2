"""Log files: tail, rotation, following; positions that stay what they are."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.processes import logfile
from lakeproof.processes.logfile import can_cut, follow, mend, read, rotate, rotated, span, tail

PAGE = 4096


class KilledError(Exception):
    """Stands for kill -9 at that step."""


@pytest.fixture(params=["cut", "truncate"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system that can cut, and the same as if it could not."""
    if request.param == "truncate":
        monkeypatch.setattr(logfile, "can_cut", lambda folder: False)
    elif not can_cut(tmp_path):
        pytest.skip("this file system cannot cut")
    return tmp_path


def everything(path: Path, position: int = 0) -> bytes:
    text = b""
    while True:
        found, chunk = read(path, position, limit=1000)
        if not chunk:
            return text
        position, text = found + len(chunk), text + chunk


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\nthree\n")
    assert tail(path, 2) == ["two", "three"]
    assert tail(path, 0) == []
    assert tail(tmp_path / "none.log", 5) == []


def test_rotation_keeps_two_older_parts_and_every_byte_of_them_and_the_writer_goes_on(folder: Path) -> None:
    path = folder / "a.log"
    lines = [f"{number:07d}\n" for number in range(8000)]
    with path.open("a", buffering=1) as writer:
        for start in range(0, 8000, 2000):
            writer.writelines(lines[start : start + 2000])
            assert rotate(path, limit_bytes=PAGE)
        writer.write("last\n")
    assert len(rotated(path)) == 3
    begins, end = span(path)
    assert end == 8 * 8000 + 5
    assert everything(path) == ("".join(lines) + "last\n").encode()[begins:]
    assert tail(path, 3) == ["0007998", "0007999", "last"]
    assert not rotate(path, limit_bytes=1 << 20)


def test_nothing_that_is_written_meanwhile_is_lost(tmp_path: Path) -> None:
    if not can_cut(tmp_path):
        pytest.skip("this file system cannot cut")
    path = tmp_path / "a.log"
    over = threading.Event()

    def write() -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in range(40_000):
            os.write(descriptor, b"%09d\n" % number)
        os.close(descriptor)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    position, text = 0, b""
    while not over.is_set():
        rotate(path, limit_bytes=16 * PAGE)
        # two rotations are kept: a reader that looks at each loses nothing
        text += (new := everything(path, position))
        position += len(new)
    writer.join()
    text += everything(path, position)
    assert text == b"".join(b"%09d\n" % number for number in range(40_000))


@pytest.mark.parametrize("step", ["before it began", "partial", "older", "newest", "cut"])
def test_a_rotation_that_was_killed_at_any_step_is_finished_by_the_next_reader(
    folder: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a.log"
    text = b"".join(b"%07d\n" % number for number in range(3000))
    path.write_bytes(text[:9000])
    assert rotate(path, limit_bytes=PAGE)
    with path.open("ab") as writer:
        writer.write(text[9000:])
    done: list[str] = []

    def until(name: str, go: Callable[..., object]) -> Callable[..., object]:
        def stand_in(*given: object) -> object:
            if step == name:
                raise KilledError
            result = go(*given)
            done.append(name)
            return result

        return stand_in

    replace = Path.replace

    def renaming(self: Path, target: Path) -> Path:
        name = {"a.log.1": "older", "a.log.partial": "newest"}.get(self.name, "")
        if name == step:
            raise KilledError
        if step == "cut" and target.name == "a.log.at" and '"cut": 0' in self.read_text():
            raise KilledError  # after the cut, before the mark says so
        if step == "before it began" and target.name == "a.log.at":
            raise KilledError
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", renaming)
        if step == "partial":
            patched.setattr(logfile, "_finish", until("partial", logfile._finish))
        with pytest.raises(KilledError):
            rotate(path, limit_bytes=PAGE)
    assert everything(path) == text
    mend(path)
    assert everything(path) == text
    with path.open("ab") as writer:
        writer.write(b"more\n")
    assert rotate(path, limit_bytes=1) or span(path)[1] == len(text) + 5
    assert everything(path).endswith(b"0002999\nmore\n")


def test_a_log_that_somebody_empties_goes_on_at_new_positions(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old words\n")
    assert read(path, 0) == (0, b"old words\n")
    path.write_text("new\n")
    assert read(path, 10) == (10, b"new\n")
    assert span(path) == (10, 14)


@pytest.mark.parametrize("when", ["before the copy", "after the copy"])
def test_a_log_that_somebody_empties_while_it_is_rotated_can_still_be_read(
    folder: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a.log"
    path.write_bytes(b"x" * 3 * PAGE)
    copy = logfile._copy

    def copy_while_it_is_emptied(*given: int) -> int:
        done = copy(*given) if when == "after the copy" else 0
        os.truncate(path, 0)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(logfile, "_copy", copy_while_it_is_emptied)
        rotate(path, limit_bytes=PAGE)
    with path.open("ab") as writer:
        writer.write(b"new\n")
    assert everything(path).endswith(b"new\n")


def test_older_parts_keep_their_positions_when_somebody_empties_the_log(folder: Path) -> None:
    path = folder / "a.log"
    for letter in (b"a", b"b", b"c"):
        with path.open("ab") as writer:
            writer.write(letter * 5 * PAGE)
        if letter != b"c":
            assert rotate(path, limit_bytes=PAGE)
    _, end = span(path)
    kept = {position: read(path, position, limit=1)[1] for position in range(0, end, 500)}
    assert set(kept.values()) == {b"a", b"b", b"c"}
    *_, newest = logfile._parts(path, os.open(path, os.O_RDONLY))
    path.write_bytes(b"")
    assert read(path, end) == (end, b"")
    path.write_bytes(b"d" * 3 * PAGE)
    for _ in range(2):
        for position, byte in kept.items():
            found = read(path, position, limit=1)
            assert found == ((position, byte) if position < newest.begins else (end, b"d"))
        assert span(path)[1] == end + 3 * PAGE
        # A rotation keeps it so; the oldest part goes.
        rotate(path, limit_bytes=PAGE)
        kept = {position: byte for position, byte in kept.items() if position >= span(path)[0]}


def test_a_disk_that_is_full_at_the_very_first_question_gives_up_the_oldest_part_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    for _ in range(2):
        with path.open("ab") as writer:
            writer.write(b"x" * 5 * PAGE)
        rotate(path, limit_bytes=PAGE)
    assert len(rotated(path)) == 3

    def full(folder: Path) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logfile, "can_cut", full)
    with pytest.raises(OSError, match="No space"):
        rotate(path, limit_bytes=1)
    assert len(rotated(path)) == 2


def test_what_is_gone_is_passed_over_and_the_position_says_so(folder: Path) -> None:
    path = folder / "a.log"
    for _ in range(4):
        with path.open("ab") as writer:
            writer.write(b"x" * 5 * PAGE)
        rotate(path, limit_bytes=PAGE)
    begins, _ = span(path)
    assert begins > 0
    assert read(path, 0)[0] == begins


def test_a_full_disk_stops_no_log_and_gives_up_the_oldest_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    for _ in range(2):
        with path.open("ab") as writer:
            writer.write(b"x" * 5 * PAGE)
        rotate(path, limit_bytes=PAGE)
    kept = everything(path, span(path)[0])
    oldest = rotated(path)[0].stat().st_size

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "sendfile", full)
        with path.open("ab") as writer:
            writer.write(b"y" * 5 * PAGE)
        with pytest.raises(OSError, match="No space"):
            rotate(path, limit_bytes=PAGE)
    assert everything(path, oldest) == kept[oldest:] + b"y" * 5 * PAGE


def test_following_gives_whole_lines_and_survives_a_rotation(folder: Path) -> None:
    path = folder / "a.log"
    path.write_text("old\n")
    new = follow(path, span(path)[1])
    assert next(new) is None
    with path.open("a") as writer:
        writer.write("half")
        writer.flush()
        assert next(new) is None
        writer.write(" and half\n")
    assert next(new) == "half and half"
    with path.open("a") as writer:
        writer.write("y" * 2 * PAGE + "\nnew\n")
    assert rotate(path, limit_bytes=PAGE)
    assert [next(new), next(new), next(new)] == ["y" * 2 * PAGE, "new", None]
    path.write_text("emptied\n")
    assert next(new) == "emptied"
