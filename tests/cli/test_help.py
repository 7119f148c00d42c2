"""Every command explains itself: a purpose, examples that can be typed, its exit codes."""

import shlex
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.benchmark import find as benchmark
from lakeproof.arguments import parse_arguments, parse_pairs
from lakeproof.cli.commands import build
from lakeproof.cli.examples import EXAMPLES
from lakeproof.cli.incident_name import check_name as check_incident
from lakeproof.cli.logs import seconds_of
from lakeproof.drills.order import steps_of
from lakeproof.incidents.checklist import BY_ID as CHECKLIST
from lakeproof.install.recipe import load_recipes
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.evolution import find_table
from lakeproof.lake.publish import history, tags
from lakeproof.lake.sources.column_types import lake_type
from lakeproof.lake.sources.source import find_source
from lakeproof.observability.logs.query import parse as parse_query
from lakeproof.processes.protocol import SIGNALS
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.components import find as component
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.use_cases.use_case import find_use_case

CATALOG = load_catalog()
INCIDENT_COMMANDS = (
    *(
        "ack",
        "attach",
        "check",
        "cross-check",
        "export",
        "lesson",
        "merge",
        "mitigate",
        "note",
        "own",
        "rca",
        "resolve",
    ),
    *("review", "show", "unmerge", "verify"),
)


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
    *("demo", "down", "start", "stop", "restart", "kill", "serve"),
    *("fault inject", "fault remove", "capture new-slot", "capture register", "incident export", "runbook write"),
    *(
        "render prometheus",
        "render settings",
        "render alertmanager",
        "render dashboard",
        "render compose",
        "ring repair",
        "ring replace",
        "ring scale",
        "projector rebuild",
        "usecase write",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_its_purpose_its_exit_codes_and_how_it_is_typed(name: str) -> None:
    command = COMMANDS[name]
    text = f"{command.help}\n{command.epilog}"
    assert command.help and command.help.splitlines()[0]
    assert "Exit " in text
    assert "Example" in text


def help_of(*names: str, columns: int) -> list[str]:
    """The lines that `lakeproof NAMES --help` prints in a terminal of that width."""
    done = CliRunner().invoke(build(), [*names, "--help"], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0
    return done.output.splitlines()


def test_help_fills_the_lines_of_the_terminal_and_keeps_a_list_of_names() -> None:
    """Rich kept the docstring's own line breaks, so that every second line ended half-way."""
    lines = help_of("mitigate", columns=80)
    begin = next(place for place, line in enumerate(lines) if "Of several causes it takes" in line)
    paragraph = lines[begin : lines.index("", begin)]
    widths = [len(line) for line in paragraph[:-1]]
    assert max(widths) <= 80
    for line, following in pairwise(paragraph):
        assert len(line) + 1 + len(following.split()[0]) > 78  # the next word had no place any more
    assert "    A+B       two of these at once; both causes must be named" in help_of("drill", columns=80)


def typed(line: str) -> tuple[str, dict[str, Any]]:
    """The command of an example and the values that are typed in it, each through the parser of the command line."""
    words = shlex.split(line)
    if words[0] == "eval":
        words = ["env"]
    for sign in (">", "<"):
        words = words[: words.index(sign)] if sign in words else words
    name = next(
        name for name in sorted(COMMANDS, key=len, reverse=True) if words[: len(name.split())] == name.split()
    )
    context = COMMANDS[name].make_context(name, words[len(name.split()) :])
    sources = {each: context.get_parameter_source(each) for each in context.params}
    given = [each for each, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return name, {each: context.params[each] for each in given}


# What the command line takes as it comes, and the command itself reads: by command and parameter, else by parameter.
READ_BY: dict[str, Callable[[str], object]] = {
    "at": history.hash_digits,
    "hash": history.hash_digits,
    **dict.fromkeys(["lake tag name", "lake branch name"], tags.check_name),
    "lake merge source": ("ingest", "backup").index,
    "incident": check_incident,
    **dict.fromkeys([f"incident {each} name" for each in INCIDENT_COMMANDS], check_incident),
    **dict.fromkeys(["capture register name", "capture new-slot name"], find_connector),
    **dict.fromkeys(
        ["kill name", "logs name", "scale name", "start name", "stop name", "restart name", "names", "service"],
        component,
    ),
    **dict.fromkeys(["usecase run name", "usecase show name"], find_use_case),
    "lake publish database": find_source,
    **dict.fromkeys(["ring repair name", "ring replace name"], NODES.index),
    "bench name": benchmark,
    "incident merge into": check_incident,
    "item": CHECKLIST.__getitem__,
    "incident lessons scenario": CATALOG.scenario,
    "done": CATALOG.scenario,
    **dict.fromkeys(["demo scenario", "up scenario", "drill name", "runbook show name"], CATALOG.scenario),
    **dict.fromkeys(["fault inject name", "fault remove name"], CATALOG.faults.__getitem__),
    "action": CATALOG.mitigations.__getitem__,
    "signal": SIGNALS.__getitem__,
    "query": parse_query,
    "logs since": seconds_of,
    "only": load_recipes().__getitem__,
    "lang": ("vi", "en").index,
    "base_url": httpx.URL,
    "lake evolve table": find_table,
    "sql_type": lambda text: lake_type("postgres", text, where="example"),
}
# Words of a person, SQL (tests/lake/query/test_statement.py), or read together with another value, below.
AS_IT_COMES = {"owner", "document", "text", "title", "root_cause", "sql", "fix", "arg", "column"}


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_can_be_typed_and_its_values_are_read_by_the_command(line: str) -> None:
    name, given = typed(line)
    for parameter, value in given.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, StrEnum) or not isinstance(each, str) or parameter in AS_IT_COMES:
                continue  # a number, a path or a choice: read by the command line
            read = READ_BY.get(f"{name} {parameter}") or READ_BY[parameter]
            read(each)


def test_the_fixes_and_arguments_in_examples_are_those_of_their_scenario_and_fault() -> None:
    looked_at = 0
    for line in (line for lines in EXAMPLES.values() for line in lines):
        _, given = typed(line)
        if "fix" in given:
            assert steps_of(CATALOG, CATALOG.scenario(given["name"]), given["fix"])
            looked_at += 1
        if "arg" in given:
            fault = CATALOG.faults[given["name"]]
            parse_arguments(fault, parse_pairs(given["arg"]), fault.id)
            looked_at += 1
    assert looked_at == 2


def test_no_example_is_of_another_command() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for name, lines in EXAMPLES.items():
        assert all(line.startswith(name) or name == "env" for line in lines)


def test_a_command_that_prints_data_prints_json_too() -> None:
    without = {name for name, one in COMMANDS.items() if not any("--json" in each.opts for each in one.params)}
    assert without == WITHOUT_JSON
