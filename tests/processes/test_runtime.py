"""Where a stack's socket and lock lie, and who owns a run id."""

import os
from pathlib import Path

import pytest

from lakeproof.errors import LakeproofError
from lakeproof.processes import runtime as module
from lakeproof.processes.lock import daemon_lock, living_holder
from lakeproof.processes.runtime import SOCKET_PATH_MAX, Runtime
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def runtime(name: str, state_dir: str) -> Runtime:
    return Runtime(Stack(Settings(name=name, state_dir=Path(state_dir))))


def test_the_socket_path_is_short_however_long_the_state_directory_is() -> None:
    assert len(str(runtime("a" * 31, "/" + "long/" * 100).socket)) < SOCKET_PATH_MAX


def test_a_run_id_belongs_to_one_name_and_one_state_directory() -> None:
    mine, elsewhere, longer = runtime("lab", "/a"), runtime("lab", "/b"), runtime("lab-2", "/a")
    run_id = mine.new_run_id()
    assert mine.owns(run_id)
    assert not elsewhere.owns(run_id) and not longer.owns(run_id) and not mine.owns(longer.new_run_id())
    assert not mine.owns("") and not mine.owns(mine.key)


@pytest.fixture
def common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /tmp, where a runtime folder lies when there is no better place."""
    monkeypatch.setattr(module, "COMMON", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    return tmp_path


def test_the_runtime_folder_under_the_common_one_is_made_for_its_user_only(common: Path) -> None:
    mine = runtime("lab", "/a")
    with daemon_lock(mine, "run"):
        assert mine.folder.parent == common / f"lakeproof-{os.geteuid()}"
        assert {each.stat().st_mode & 0o777 for each in (mine.folder.parent, mine.folder)} == {0o700}
    assert list(common.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another user")
def test_a_lock_that_another_user_put_under_the_common_folder_is_neither_read_nor_taken(common: Path) -> None:
    mine = runtime("lab", "/a")
    mine.make()
    mine.lock.write_text(f'{{"pid": {os.getpid()}, "start_ticks": 0, "run_id": "x", "state_dir": "/a"}}')
    os.chown(mine.folder.parent, 65534, 65534)
    for call in (lambda: living_holder(mine), lambda: daemon_lock(mine, "run").__enter__(), lambda: mine.socket):
        with pytest.raises(LakeproofError, match="another user, nobody") as refused:
            call()
        assert "XDG_RUNTIME_DIR" in refused.value.next_action
