"""The list of all commands. A module of this folder is loaded when one of its commands is called, also for --help.
So a command imports its heavier modules inside its function, unless they are loaded anyway.

A module declares a command by a line of its docstring, "`lakeproof NAME`: what the command does." (one line for each
command), and by its function NAME. A module with a group of commands has `add_to(app)` instead of the function.
`lakeproof --help` shows these lines and loads no module, so the whole list costs as much as reading thirty files.
tests/cli/test_commands.py compares the lines with the commands.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

HERE = Path(__file__).parent
# Rich takes longer to load than all the rest of --help, and keeps the line breaks of a docstring, which no terminal's
# width fits.
PLAIN = None
_LINE = re.compile(r"^`lakeproof ([a-z]+)`: (.+)$", re.MULTILINE)


class Commands(Mapping[str, Any]):
    """Every command by its name, made when it is asked for. (Its type is Any because Typer has a copy of click.)

    about: name → what the command does, in one line.
    """

    def __init__(self) -> None:
        self.about: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        for path in HERE.glob("*.py"):
            docstring = path.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]
            for name, about in _LINE.findall(docstring):
                self.about[name] = about[0].upper() + about[1:]
                self._modules[name] = path.stem

    def __getitem__(self, name: str) -> Any:
        from lakeproof.cli.examples import add_examples

        module = importlib.import_module(f"lakeproof.cli.{self._modules[name]}")
        app = typer.Typer(rich_markup_mode=PLAIN)
        app.callback()(_nothing)  # with a callback Typer makes a group even of a single command
        if hasattr(module, "add_to"):
            module.add_to(app)
        else:
            app.command(name)(getattr(module, name))
        for group in app.registered_groups:
            group.cls = WholeLinesGroup
        add_examples(app)
        return typer.main.get_group(app).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._modules))

    def __len__(self) -> int:
        return len(self._modules)


class WholeLinesGroup(TyperGroup):
    """A group whose --help shows each command's first paragraph whole; Typer's own ends it with dots."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one entry for each command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_paragraph(each.help or "")) for name, each in self.commands.items()])


class OnDemandGroup(TyperGroup):
    """The group of all commands; it lists them without loading them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in alphabetical order."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one line for each command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands.about[name]) for name in self.commands])


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="lakeproof",
        cls=OnDemandGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode=PLAIN,
        help="A realtime lakehouse that proves it recovers.\n\n"
        "Exit codes: 0 success, 1 failed, 2 refused (wrong usage, or you said no), 3 unknown (could not look).",
    )
    app.callback()(_nothing)
    return app


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())


def _nothing() -> None:
    return
