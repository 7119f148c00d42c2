"""A no at a command's question is no success: whoever waits for the command has to see that nothing was done."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.doubles.terminal import Terminal

from lakeproof.cli.capture import new_slot
from lakeproof.cli.evolve import evolve
from lakeproof.cli.mitigate import mitigate
from lakeproof.cli.reset import reset
from lakeproof.errors import InvalidInput
from lakeproof.incidents.client import DeskClient
from lakeproof.lake.capture.evolution import Step


def of_new_slot() -> None:
    new_slot("shop")


def of_evolve() -> None:
    evolve("orders", "gift_note")


def of_mitigate() -> None:
    mitigate("12", action="restart_component", arg=["component=trino"])


@pytest.fixture
def found(own_stack: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All looks before the questions find something to do. Gives what was done."""
    done: list[str] = []
    planned = SimpleNamespace(name="oltp.orders.gift_note", kind="STRING", steps=(Step("alter", "alters"),), said="")
    incident = {"id": "INC-000012", "alerts": [], "timeline": []}
    monkeypatch.setattr("lakeproof.lake.capture.new_slot.require_lost", lambda stack, name: name)
    monkeypatch.setattr("lakeproof.lake.capture.new_slot.steps", lambda connector: ("drop the slot",))
    monkeypatch.setattr("lakeproof.lake.capture.reading_anew.replace_slot", lambda *_: done.append("new slot"))
    monkeypatch.setattr("lakeproof.cli.evolve.require_healthy", lambda stack, names: None)
    monkeypatch.setattr("lakeproof.lake.capture.evolution.plan", lambda *_: planned)
    monkeypatch.setattr("lakeproof.lake.capture.evolving.evolve", lambda *_: done.append("evolved"))
    monkeypatch.setattr(DeskClient, "incident", lambda self, name: incident)
    monkeypatch.setattr("lakeproof.repairs.by_a_person.repair", lambda *_, **__: done.append("repaired"))
    (own_stack / "data" / "redis").mkdir(parents=True)
    (own_stack / "start.lock").touch()
    return done


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (of_new_slot, "capture new-slot shop"),
        (of_evolve, "lake evolve orders gift_note"),
        (of_mitigate, "mitigate 12"),
        (reset, "reset"),
    ],
)
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_a_no_at_the_terminal_is_told_by_the_exit_code_and_changes_nothing(
    found: list[str],
    own_stack: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[], None],
    where: str,
    answer: str,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(InvalidInput, match=f"{where}: you said no; nothing was changed") as refused:
        command()
    assert refused.value.exit_code == 2
    assert found == [] and (own_stack / "data" / "redis").is_dir()


@pytest.mark.parametrize("command", [of_new_slot, of_evolve, of_mitigate])
def test_without_a_terminal_a_command_only_says_what_it_would_do(
    found: list[str], monkeypatch: pytest.MonkeyPatch, command: Callable[[], None]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    command()
    assert found == []
