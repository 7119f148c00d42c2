import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.written import replace_folder, write_file


def test_a_secret_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_file(tmp_path / "token", "secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_threads_of_one_process_that_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    texts = [letter * 100_000 for letter in "abcd"]
    with ThreadPoolExecutor(len(texts)) as threads:
        for _ in threads.map(lambda number: write_file(tmp_path / "token", texts[number % 4]), range(200)):
            assert (tmp_path / "token").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_durable_text_is_on_the_disk_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "record", list[str]()

    def fsync(descriptor: int) -> None:
        assert not path.exists()
        synced.append(Path(f"/proc/self/fd/{descriptor}").read_text())

    monkeypatch.setattr(os, "fsync", fsync)
    write_file(path, "made", durable=True)
    assert (synced, path.read_text()) == (["made"], "made")


def test_a_rule_that_is_gone_is_removed(tmp_path: Path) -> None:
    replace_folder(tmp_path, {"a.yml": "1", "b.yml": "2"})
    replace_folder(tmp_path, {"b.yml": "3"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b.yml": "3"}
