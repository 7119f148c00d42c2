import stat
from pathlib import Path

from lakeproof.written import replace_folder, write_file


def test_a_secret_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_file(tmp_path / "token", "secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_rule_that_is_gone_is_removed(tmp_path: Path) -> None:
    replace_folder(tmp_path, {"a.yml": "1", "b.yml": "2"})
    replace_folder(tmp_path, {"b.yml": "3"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b.yml": "3"}
