"""A killed process: gone, and not only young."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import DeadlineExpired, InvalidInput
from lakeproof.faults import processes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Supervisor:
    """`shown`: the pids that the next looks show; the last one again and again."""

    def __init__(self, *shown: int | None) -> None:
        self.shown = list(shown)

    def ps(self) -> list[SimpleNamespace]:
        return [self.row("trino")] if self.shown else []

    def row(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, pid=self.shown.pop(0) if len(self.shown) > 1 else self.shown[0])

    def kill(self, name: str, signal_name: str) -> int:
        if not self.shown:
            raise InvalidInput("it does not run", where=name)
        return 1


def kill(supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "our_processes", lambda *_: supervisor)
    processes.KilledProcess(component="trino").inject(Stack(Settings(state_dir=tmp_path)))


def test_a_process_that_had_just_started_and_lives_on_is_not_taken_for_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GONE_SECONDS", 0.1, raising=False)
    with pytest.raises(DeadlineExpired, match="process 7 of trino to be gone"):
        kill(Supervisor(7), tmp_path, monkeypatch)


@pytest.mark.parametrize("after", [None, 8], ids=["not back yet", "back"])
def test_it_is_killed_once_another_process_or_none_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int | None
) -> None:
    supervisor = Supervisor(7, 7, after)
    kill(supervisor, tmp_path, monkeypatch)
    assert supervisor.shown == [after]


def test_what_never_ran_is_refused_as_wrong_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error has the fault taken back, which starts the component."""
    with pytest.raises(InvalidInput):
        kill(Supervisor(), tmp_path, monkeypatch)
