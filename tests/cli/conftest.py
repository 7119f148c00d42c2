"""Commands as they are typed, on a stack of the test's own that does not run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lakeproof.cli.commands import build

type Typed = Callable[..., str]


@pytest.fixture(autouse=True)
def no_real_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gets past what its test has put in the place of engines would start a whole stack."""

    def refuse(*_: object) -> None:
        raise AssertionError("a fast test would start a supervisor")

    monkeypatch.setattr("lakeproof.processes.client.launch", refuse)


@pytest.fixture
def own_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No command may meet somebody's running stack: another folder, ports where nothing listens. Gives the folder.

    The ports lie below those that the system hands out by itself: there any process may listen or connect from.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEPROOF_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LAKEPROOF_PORT_SHIFT", "12100")
    monkeypatch.delenv("LAKEPROOF_NAME", raising=False)  # of a stack that is worked with beside the tests
    return tmp_path / "state"


@pytest.fixture
def typed(own_stack: Path) -> Typed:
    """`typed(*arguments)`: what the command prints. Raises: the error that `main` would turn into one line."""

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(build(), list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run
