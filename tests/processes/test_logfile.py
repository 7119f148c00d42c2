"""Log files: tail, rotation, following."""

from pathlib import Path

from lakeproof.processes.logfile import follow, rotate, rotated, tail


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\nthree\n")
    assert tail(path, 2) == ["two", "three"]
    assert tail(path, 0) == []
    assert tail(tmp_path / "none.log", 5) == []


def test_rotation_keeps_two_older_parts_and_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("a", buffering=1) as writer:
        for part in ("first\n", "second\n", "third\n"):
            writer.write(part)
            assert rotate(path, limit_bytes=1)
        writer.write("fourth\n")
    assert [part.read_text() for part in rotated(path)] == ["second\n", "third\n", "fourth\n"]
    assert not rotate(path, limit_bytes=1000)


def test_following_gives_whole_lines_and_survives_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n")
    new = follow(path, path.stat().st_size)
    assert next(new) is None
    with path.open("a") as writer:
        writer.write("half")
        writer.flush()
        assert next(new) is None
        writer.write(" and half\n")
    assert next(new) == "half and half"
    path.write_text("new\n")
    assert next(new) == "new"
