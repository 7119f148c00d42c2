"""Every command explains itself: a purpose, examples that can be typed, its exit codes."""

import shlex
from typing import Any

import pytest
import typer

from lakeproof.cli.app import build
from lakeproof.cli.examples import EXAMPLES


def leaves(command: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command that does something, by what is typed for it. (Any: typer brings a click of its own.)"""
    groups = getattr(command, "commands", None)
    if groups is None:
        return {" ".join(path): command}
    found: dict[str, Any] = {}
    for name, each in groups.items():
        found |= leaves(each, (*path, name))
    return found


COMMANDS = leaves(typer.main.get_command(build()))
# They act, or print what is no data of ours: configuration files, a shell's exports.
WITHOUT_JSON = {
    *("demo", "down", "start", "stop", "kill", "serve"),
    *("fault inject", "fault remove", "capture new-slot", "capture register", "incident export", "runbook write"),
    *("render prometheus", "render alertmanager", "ring replace", "ring scale", "projector rebuild"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_its_purpose_its_exit_codes_and_how_it_is_typed(name: str) -> None:
    command = COMMANDS[name]
    text = f"{command.help}\n{command.epilog}"
    assert command.help and command.help.splitlines()[0]
    assert "Exit " in text
    assert "Example" in text


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_can_be_typed(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "eval":
        words = ["env"]
    words = words[: words.index(">")] if ">" in words else words
    name = next(
        name for name in sorted(COMMANDS, key=len, reverse=True) if words[: len(name.split())] == name.split()
    )
    COMMANDS[name].make_context(name, words[len(name.split()) :])


def test_no_example_is_of_another_command() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for name, lines in EXAMPLES.items():
        assert all(line.startswith(name) or name == "env" for line in lines)


def test_a_command_that_prints_data_prints_json_too() -> None:
    without = {name for name, one in COMMANDS.items() if not any("--json" in each.opts for each in one.params)}
    assert without == WITHOUT_JSON
