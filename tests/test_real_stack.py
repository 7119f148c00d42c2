"""The stack that the engines and drills tiers start: one within another, and the environment that names it."""

import os
from pathlib import Path

import pytest
from tests.conftest import RealStack

from lakeproof.processes.client import SupervisorClient

NAMES = ("LAKEPROOF_NAME", "LAKEPROOF_STATE_DIR", "LAKEPROOF_PORT_SHIFT")


def named() -> list[str | None]:
    return [os.environ.get(name) for name in NAMES]


@pytest.fixture
def taken_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the stacks that were taken down so far; nothing is given by the environment."""
    names: list[str] = []
    monkeypatch.chdir(tmp_path)
    for name in (*NAMES, "LAKEPROOF_KEEP_TEST_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(SupervisorClient, "down", lambda self: names.append(self.stack.name))
    return names


def test_one_stack_within_another_is_its_own(real_stack: RealStack, taken_down: list[str]) -> None:
    with real_stack("outer") as outer:
        around = named()
        assert around == ["outer", str(outer.state_dir), "3000"]
        with real_stack("inner") as inner:
            assert taken_down == ["outer"]
            assert named() == ["inner", str(inner.state_dir), "3000"]
            assert inner.state_dir != outer.state_dir
        assert named() == around
        assert outer.state_dir.exists() and not inner.state_dir.exists()
    assert taken_down == ["outer", "inner", "outer"]
    assert named() == [None, None, None]
    assert not outer.state_dir.exists()


def test_what_the_environment_names_is_used_and_kept(
    real_stack: RealStack, taken_down: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "given"))
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "1300")
    with real_stack("outer") as outer, real_stack("inner") as inner:
        assert outer.state_dir == inner.state_dir == tmp_path / "given"
        assert named() == ["inner", str(tmp_path / "given"), "1300"]
    assert (tmp_path / "given").is_dir()
    assert named() == [None, str(tmp_path / "given"), "1300"]
    # What was given once is not kept for a stack after it.
    monkeypatch.delenv("LAKEPROOF_STATE_DIR")
    with real_stack("later") as later:
        assert later.state_dir != tmp_path / "given"


def test_a_test_that_fails_leaves_the_environment_as_it_was(real_stack: RealStack, taken_down: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), real_stack("outer"):
        raise ZeroDivisionError
    assert named() == [None, None, None]
    assert taken_down == ["outer"]
