"""What a document names as code exists: commands with options, settings, variables, files, names of the code."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from tests.doubles.plugins import OURS

from benchmarks.benchmark import all_benchmarks
from lakeproof.cli.commands import build
from lakeproof.faults.fault import all_faults
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.components import all_components
from lakeproof.stack.place import NOT_SETTINGS
from lakeproof.stack.settings import Settings

ROOT = Path(__file__).parent.parent
# The record of proofs is written by runs; decisions and the changelog tell also of what was taken away later.
AT_THE_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
WRITTEN = sorted(
    path for path in [*AT_THE_ROOT, *ROOT.glob("docs/**/*.md")] if path.parent.name not in ("proof", "example-report")
)
OF_NOW = [path for path in WRITTEN if path.parent.name != "decisions" and path.name != "CHANGELOG.md"]
GENERATED = ("runbook", "usecases")
BY_HAND = [path for path in OF_NOW if path.parent.name not in GENERATED]


def each(documents: list[Path]) -> pytest.MarkDecorator:
    """One case a document."""
    return pytest.mark.parametrize("document", documents, ids=[str(path.relative_to(ROOT)) for path in documents])


@cache
def code_of(document: Path) -> tuple[str, ...]:
    """What stands in backticks, and each line of the blocks."""
    text = document.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return (*spans, *(line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()))


@cache
def files() -> frozenset[str]:
    """Every file of the repository, the new ones too; of an unpacked archive, which has no git, every file."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        found = [
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts
        ]
    return frozenset(found)


@cache
def code() -> str:
    """All that is no document."""
    places = (
        "src/",
        "benchmarks/",
        "tests/",
        "scripts/",
        "java/",
        "third_party/",
        "Makefile",
        "pyproject.toml",
        ".github/",
    )
    found = [ROOT / name for name in files() if name.startswith(places) and name != "tests/test_document_claims.py"]
    return "\n".join(path.read_text(errors="ignore") for path in found if path.exists() and path.suffix != ".md")


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after each `lakeproof` of a line that a person can type."""
    for start in re.finditer(r"(?<![\w/.@-])lakeproof (?=[a-z|]+\b(?!:))", text):
        rest = re.split(r"\s#|[;)&]|\s\|\s|\s>\s", text[start.end() :])[0]
        yield shlex.split(rest) if rest.count('"') % 2 == 0 and rest.count("'") % 2 == 0 else rest.split()


def is_name(word: str) -> bool:
    """False for a placeholder: NAME, …, A+B, `wrong` and other words of a command's own."""
    return re.fullmatch(r"[a-z][a-z0-9_-]*", word) is not None


@cache
def names_of() -> dict[str, frozenset[str]]:
    """The first argument of a command, where a list has it."""
    scenarios = frozenset(scenario_folders())
    faults = frozenset(name.replace("_", "-") for name in all_faults(OURS))
    components = frozenset((*all_components(), "supervisor"))
    of_components = dict.fromkeys(("up", "start", "stop", "restart", "kill", "logs", "scale"), components)
    return of_components | {
        "bench": frozenset(all_benchmarks()),
        "drill": scenarios | {"all", "repairs", "wrong", "pairs", "blind", "healthy"},
        "demo": scenarios,
        "fault inject": faults,
        "fault remove": faults,
        "runbook show": scenarios,
        "ring replace": components,
    }


@cache
def command(path: tuple[str, ...]) -> Any:
    """The command, or group of commands, of that name; () is `lakeproof`. (Any: typer brings a click of its own.)"""
    return command(path[:-1]).commands[path[-1]] if path else typer.main.get_command(build())


@cache
def options(path: tuple[str, ...]) -> frozenset[str]:
    """Every option that the command has."""
    named = (name for each in command(path).params for name in (*each.opts, *each.secondary_opts))
    return frozenset(named) | {"--help"}


def refused(words: list[str]) -> list[str]:
    """Why it cannot be typed; placeholders stand for anything."""
    path: tuple[str, ...] = ()
    while hasattr(command(path), "commands") and words and not words[0].startswith("-"):
        alternatives = words[0].rstrip(",.:").split("|")
        unknown = [name for name in alternatives if is_name(name) and name not in command(path).commands]
        if unknown or len(alternatives) > 1 or not is_name(alternatives[0]):
            return [f"no command {' '.join((*path, name))}" for name in unknown]
        path, words = (*path, alternatives[0]), words[1:]
    found = []
    for word in words:
        option = word.split("=")[0].strip("[],.…:").split("|")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and option not in options(path):
            found.append(f"{' '.join(path)} has no {option}")
    known = names_of().get(" ".join(path))
    for name in takewhile(lambda word: not word.startswith("-"), words[: 1 if path != ("up",) else None]):
        if known and is_name(name) and name not in known and name.replace("_", "-") not in known:
            found.append(f"{' '.join(path)} knows no {name}")
    return found


def fields(table: str) -> frozenset[str]:
    """The settings of one table of lakeproof.toml; of no table of that name, none."""
    field = Settings.model_fields.get(table)
    kind = field.annotation if field else None
    return frozenset(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else frozenset()


def anchors(document: Path) -> set[str]:
    """What a link may name in it, as GitHub makes it of each heading."""
    text = document.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


def test_a_command_an_option_and_a_name_that_do_not_exist_are_seen() -> None:
    wrong = "lakeproof lake mend; lakeproof up --fast && lakeproof drill no-such --cause x | lakeproof ps --slow"
    found = [why for words in command_lines(wrong) for why in refused(words)]
    assert found == ["no command lake mend", "up has no --fast", "drill knows no no-such"]
    assert [refused(words) for words in command_lines("lakeproof logs NAME -f, lakeproof lake log|show HASH")] == [
        [],
        [],
    ]


@each(WRITTEN)
def test_every_command_line_can_be_typed(document: Path) -> None:
    lines = [words for text in code_of(document) for words in command_lines(text)]
    assert [(words, why) for words in lines for why in refused(words)] == []


@each(BY_HAND)
def test_every_command_that_is_named_without_lakeproof_can_be_typed_too(document: Path) -> None:
    commands = frozenset(command(()).commands)
    ours = [text.split() for text in code_of(document) if re.match(r"[a-z]+ (?:-|[a-z])", text)]
    lines = [words for words in ours if words[0] in commands and not re.match(r"-[A-Z]", words[1])]
    assert [(words, why) for words in lines for why in refused(words)] == []


@each(WRITTEN)
def test_every_anchor_is_a_heading(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", document.read_text())
    assert [
        (path, anchor)
        for path, anchor in links
        if anchor not in anchors((document.parent / path) if path else document)
    ] == []


@each(OF_NOW)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for text in code_of(document) for name in re.findall(r"(?:^|&& )make ([a-z][a-z-]+)", text)}
    assert named - targets == set()


@each(OF_NOW)
def test_every_file_that_is_named_by_its_path_exists(document: Path) -> None:
    """A path of the repository, or the end of one. What a stack or a build writes has no folder before it."""
    kinds = "py|sql|sh|tsv|java|yml|yaml|json|jsonl|toml|md"
    named = {
        path
        for text in code_of(document)
        for path in re.findall(rf"(?<![\w/.{{…-])[\w./-]+/[\w.-]+\.(?:{kinds})\b", text)
    }
    there = {path for path in named for file in files() if f"/{file}".endswith(f"/{path}")}
    made_up = {path for path in named if "coupons" in path or re.search(r"[A-Z]{3}", path)}
    assert {path for path in named - there - made_up if not path.startswith(("/", "etc/"))} == set()


@each(OF_NOW)
def test_every_environment_variable_is_one_that_is_read(document: Path) -> None:
    known = r"(?:LAKEPROOF|SERVICE|ALERTMANAGER)_[A-Z_]*[A-Z]"
    for name in {name for text in code_of(document) for name in re.findall(rf"\b{known}\b(?!…)", text)}:
        table, _, key = name.removeprefix("LAKEPROOF_").lower().partition("__")
        if name.startswith("LAKEPROOF_") and name not in NOT_SETTINGS:
            assert table in Settings.model_fields and (not key or key in fields(table)), name
        else:
            assert name in code(), name


@each(OF_NOW)
def test_every_setting_that_is_named_with_its_table_exists(document: Path) -> None:
    """Tables of a database are written likewise (inventory.stock): the code names them so. `coupons` is made up."""
    named = {pair for text in code_of(document) for pair in re.findall(r"^([a-z]+)\.([a-z_]+)(?: =.*)?$", text)}
    wrong = {f"{table}.{key}" for table, key in named if fields(table) and key not in fields(table) | {"coupons"}}
    assert {name for name in wrong if name not in code()} == set()


@each(BY_HAND)
def test_every_default_that_stands_behind_its_setting_is_the_default(document: Path) -> None:
    """As in: `lease_seconds` (20), `max_body_bytes` (64 KiB). Of a name in several tables any one counts."""
    units = {"": 1, "s": 1, "minutes": 60, "KiB": 1 << 10, "MiB": 1 << 20}
    said = re.findall(
        r"`(?:[a-z]+\.)?([a-z_]+)`\s+\(([\d.]+)(?: (s|minutes|KiB|MiB))?(?=[;):])", document.read_text()
    )
    defaults: dict[str, list[object]] = {}
    for table in Settings.model_fields.values():
        if isinstance(table.default, BaseModel):
            for key, value in table.default.model_dump().items():
                defaults.setdefault(key, []).append(value)
    wrong = [
        (key, number, unit) for key, number, unit in said if float(number) * units[unit] not in defaults.get(key, [])
    ]
    assert [one for one in wrong if one[0] in defaults] == []


def test_the_example_of_somebody_elses_stack_is_valid_settings() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs/external.md").read_text(), re.MULTILINE | re.DOTALL)
    assert Settings.model_validate(tomllib.loads("\n".join(blocks))).mode == "external"


@each(BY_HAND)
def test_every_identifier_is_one_of_the_code(document: Path) -> None:
    """Of a metric `_total` is left out, which Prometheus' client adds. Names that a noun's subject makes are known by
    what is left without it (shop_paused_connector).
    """
    names = {
        name
        for text in code_of(document)
        for name in re.findall(r"(?<![\w.$/-])[a-z]+(?:_[a-z0-9]+)+(?![\w.*/-])", text)
    }
    assert {name for name in names if name.removesuffix("_total") not in code()} == set()
