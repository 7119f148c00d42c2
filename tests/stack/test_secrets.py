import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeproof.errors import TerminalError
from lakeproof.stack.secrets import NAMES, load_or_make


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = load_or_make(path)
    assert set(first) == set(NAMES)
    assert load_or_make(path) == first


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_half_written_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"mysql-root": "ab')
    with pytest.raises(TerminalError, match="not valid JSON"):
        load_or_make(path)
    assert path.read_text() == '{"mysql-root": "ab'


def test_threads_that_ask_at_once_get_the_same_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: load_or_make(path), range(64)))
    assert all(each == made[0] for each in made)
