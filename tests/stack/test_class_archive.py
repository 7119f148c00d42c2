"""Which flags a JVM gets for its class archive, by what lies in the cache."""

import os
from pathlib import Path

import pytest

from lakeproof.stack.engines.class_archive import (
    MAGIC,
    UNUSED_SECONDS,
    WRITES,
    archive_flags,
    folder,
    keep,
    remove_unused,
    writing,
)


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two jars, and an empty cache."""
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path / "cache"))
    libs = tmp_path / "libs"
    libs.mkdir()
    for name in ("a.jar", "b.jar"):
        (libs / name).write_text(name)
    return libs


def flags(jars: Path, engine: str = "kafka") -> tuple[str, ...]:
    return archive_flags(engine, jars / "jdk" / "bin" / "java", f"{jars}/*")


def written(jars: Path, content: bytes = MAGIC + b"classes") -> Path:
    """What a JVM leaves that was started to write an archive."""
    with writing():
        (flag,) = [word for word in flags(jars) if word.startswith(WRITES)]
    new = Path(flag.removeprefix(WRITES))
    new.write_bytes(content)
    return new


def read_by(flags: tuple[str, ...]) -> Path:
    (flag,) = [word for word in flags if word.startswith("-XX:SharedArchiveFile=")]
    return Path(flag.partition("=")[2])


def test_without_an_archive_a_jvm_starts_as_ever_and_writes_none(jars: Path) -> None:
    assert flags(jars) == ()


def test_a_written_archive_is_read_from_then_on(jars: Path) -> None:
    assert keep(written(jars))
    assert read_by(flags(jars)).read_bytes() == MAGIC + b"classes"
    with writing():
        assert not [word for word in flags(jars) if word.startswith(WRITES)]


def test_an_archive_that_a_killed_jvm_left_half_written_is_not_kept(jars: Path) -> None:
    new = written(jars, b"\0\0\0\0classes")
    assert not keep(new) and not new.exists()
    assert flags(jars) == ()


def test_an_archive_that_was_cut_short_is_removed_and_can_be_written_anew(jars: Path) -> None:
    keep(written(jars))
    archive = read_by(flags(jars))
    archive.write_bytes(MAGIC)
    assert flags(jars) == () and not archive.exists()
    assert keep(written(jars))


def test_another_jar_or_another_engine_has_an_archive_of_its_own(jars: Path) -> None:
    keep(written(jars))
    assert flags(jars, "connect") == ()
    (jars / "b.jar").write_text("newer")
    assert flags(jars) == ()


def test_what_no_jvm_has_read_for_long_is_removed(jars: Path) -> None:
    keep(written(jars))
    archive = read_by(flags(jars))
    remove_unused()
    assert archive.exists()
    old = archive.stat().st_mtime - UNUSED_SECONDS - 1
    os.utime(archive, (old, old))
    remove_unused()
    assert not archive.exists() and folder().is_dir()
