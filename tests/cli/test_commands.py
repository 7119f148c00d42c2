"""The list of commands comes from the modules' docstrings, and a module is loaded when its command is called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from lakeproof.cli import app, commands
from lakeproof.cli.commands import Commands

COMMANDS = Commands()
GROUPS = sorted(path for path in commands.HERE.glob("*.py") if "def add_to(" in path.read_text())
# What takes long to load, and is of no use to `lakeproof ps` and `lakeproof --help`.
HEAVY = {"lakeproof.install", "lakeproof.scenarios", "rich", "httpx", "asyncio", "sqlalchemy", "fastapi", "yaml"}


@pytest.mark.parametrize("name", sorted(COMMANDS.about))
def test_each_line_of_a_module_s_docstring_is_a_command(name: str) -> None:
    assert COMMANDS[name].name == name


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: path.stem)
def test_the_docstring_of_a_module_with_a_group_has_one_line_for_each_of_its_commands(path: Path) -> None:
    own = typer.Typer()
    own.callback()(lambda: None)
    module = __import__(f"lakeproof.cli.{path.stem}", fromlist=["add_to"])
    module.add_to(own)
    group = typer.main.get_group(own)
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert {name for name in COMMANDS if f"`lakeproof {name}`: " in docstring} == set(group.commands)


def loaded_by(*arguments: str) -> set[str]:
    """The modules that are there when the command has ended, each with the packages around it."""
    script = (
        "import contextlib, io, sys\n"
        f"sys.argv = ['lakeproof', *{arguments!r}]\n"
        "from lakeproof.cli.app import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.usefixtures("own_stack")
def test_ps_loads_its_own_module_and_no_other_command_s() -> None:
    loaded = loaded_by("ps")
    assert {name for name in loaded if name.startswith("lakeproof.cli.")} == {
        *("lakeproof.cli.app", "lakeproof.cli.output", "lakeproof.cli.process_table")
    }
    assert not loaded & (HEAVY | {"typer", "pydantic"})


def test_the_flags_that_ps_takes_without_a_parser_are_its_options() -> None:
    options = {name for option in COMMANDS["ps"].params for name in option.opts}
    assert options - {"--help"} == app.PS_FLAGS


@pytest.mark.usefixtures("own_stack")
@pytest.mark.parametrize("arguments", [("ps", "--no-such"), ("ps", "--help"), ("ps", "--json", "--", "x")])
def test_ps_with_other_words_than_its_flags_is_answered_by_the_parser(arguments: tuple[str, ...]) -> None:
    assert not app.run_quickly(arguments)


def test_help_lists_every_command_with_its_line_and_loads_none() -> None:
    script = "import sys; from lakeproof.cli.app import main; sys.argv = ['lakeproof', '--help']; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    shown = " ".join(done.stdout.split())
    assert len(COMMANDS) > 25
    for name, about in COMMANDS.about.items():
        assert f" {name} {about}" in shown
        assert about.endswith(".")  # one line of the docstring is taken: a sentence that goes on was cut off
    loaded = loaded_by("--help")
    assert {name for name in loaded if name.startswith("lakeproof.cli.")} == {
        *("lakeproof.cli.app", "lakeproof.cli.commands", "lakeproof.cli.output")
    }
    assert not loaded & (HEAVY | {"pydantic"})
