"""The store: whole or absent, never half."""

import json
from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.install import store


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A complete artifact of two files."""
    directory = tmp_path / "artifacts" / "thing" / "1-abc"
    unfinished = store.open_unfinished(directory)
    (unfinished / "lib").mkdir()
    (unfinished / "lib" / "a.jar").write_bytes(b"first")
    (unfinished / "b.jar").write_bytes(b"second")
    store.finish(unfinished, directory, seconds=1.0)
    return directory


def test_a_finished_artifact_is_complete_and_sound(stored: Path) -> None:
    assert store.is_complete(stored)
    assert store.faults_of(stored, verify=True) == []
    assert {file.path for file in store.read_marker(stored)} == {"lib/a.jar", "b.jar"}


def test_an_unfinished_artifact_is_absent(tmp_path: Path) -> None:
    directory = tmp_path / "thing" / "1-abc"
    (store.open_unfinished(directory) / "a.jar").write_bytes(b"x")
    assert not store.is_complete(directory)
    assert store.faults_of(directory) == ["it is not there"]


def test_a_missing_file_is_found(stored: Path) -> None:
    (stored / "b.jar").unlink()
    assert store.faults_of(stored) == ["b.jar is missing"]


def test_a_cut_off_file_is_found(stored: Path) -> None:
    (stored / "lib" / "a.jar").write_bytes(b"fir")
    assert store.faults_of(stored) == ["lib/a.jar has 3 bytes, not 5"]


def test_changed_bytes_of_the_same_length_are_found_by_verify_only(stored: Path) -> None:
    (stored / "b.jar").write_bytes(b"SECOND")
    assert store.faults_of(stored) == []
    assert "b.jar has other content" in store.faults_of(stored, verify=True)[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": [{"path": "x"}]}', json.dumps({"files": 3})])
def test_a_garbled_marker_is_found(stored: Path, text: str) -> None:
    (stored / store.MARKER).write_text(text)
    assert "marker cannot be read" in store.faults_of(stored)[0]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    directory = tmp_path / "thing" / "1-abc"
    leftover = directory.parent / f"{store.UNFINISHED}1-abc-99999"
    (leftover / "closed").mkdir(parents=True)
    (leftover / "closed" / "file").write_bytes(b"x")
    (leftover / "closed").chmod(0o555)
    store.open_unfinished(directory)
    assert not leftover.exists()


def test_finishing_replaces_a_broken_artifact_and_leaves_nothing_beside_it(stored: Path) -> None:
    (stored / "b.jar").unlink()
    unfinished = store.open_unfinished(stored)
    (unfinished / "b.jar").write_bytes(b"again")
    store.finish(unfinished, stored, seconds=0.1)
    assert store.faults_of(stored, verify=True) == []
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    store.place_file(tmp_path / "a", tmp_path / "lib" / "x.jar")
    with pytest.raises(TerminalError, match="same place"):
        store.place_file(tmp_path / "a", tmp_path / "lib" / "x.jar")
