"""Where a stack's socket and lock lie, and who owns a run id."""

from pathlib import Path

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
