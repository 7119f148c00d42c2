"""Which components are part of a stack: those ever wanted, those with an endpoint, or all that `up` means."""

import threading
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.processes import parts as membership
from lakeproof.processes.parts import absent_components
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

WATCHED = {name: one for name, one in all_components().items() if not one.on_demand}
DEFAULT = {name for name, one in WATCHED.items() if one.in_plain_up}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def supervised(monkeypatch: pytest.MonkeyPatch, ps: Any) -> None:
    """A supervisor that runs and answers `ps` so."""

    class Client:
        def __init__(self, stack: Stack) -> None:
            self.ps = ps

        def running(self) -> bool:
            return True

    monkeypatch.setattr(membership, "SupervisorClient", Client)


class Row:
    def __init__(self, name: str) -> None:
        self.name = name


def test_without_a_supervisor_all_that_up_means_should_be_there(tmp_path: Path) -> None:
    assert absent_components(Stack(Settings(state_dir=tmp_path))) == WATCHED.keys() - DEFAULT


def test_what_was_never_wanted_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervised(monkeypatch, lambda: [Row("mysql"), Row("kafka")])
    assert absent_components(Stack(Settings(state_dir=tmp_path))) == WATCHED.keys() - {"mysql", "kafka"}


def test_a_supervisor_that_hangs_or_fails_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(Settings(state_dir=tmp_path))
    over = threading.Event()
    monkeypatch.setattr(membership, "ASK_SECONDS", 0.05)
    supervised(monkeypatch, over.wait)
    assert absent_components(stack) == WATCHED.keys() - DEFAULT
    over.set()

    def fails() -> None:
        raise CouldNotLook("no answer")

    supervised(monkeypatch, fails)
    assert absent_components(stack) == WATCHED.keys() - DEFAULT


def test_of_somebody_elses_stack_only_what_has_an_endpoint(tmp_path: Path) -> None:
    endpoints = {"connect": {"http": "127.0.0.1:9"}}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))
    assert absent_components(stack) == WATCHED.keys() - {"connect"}
